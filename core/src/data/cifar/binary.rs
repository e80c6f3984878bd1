//! The binary version: records of the label bytes and the three planes, 3,073 bytes each in CIFAR-10.

use std::fs;
use std::path::Path;

use super::{DOWNLOAD_AGAIN, DataError, Layout, PLANE, Part};

pub(super) fn read(layout: &Layout, path: &Path, records: usize, part: &mut Part) -> Result<(), DataError> {
    let record = layout.label_bytes + 3 * PLANE;
    let io = |source| DataError::Read { path: path.into(), source };
    let check = |found: u64| {
        let expected = (records * record) as u64;
        let size = || DataError::Size { path: path.into(), expected, found, fix: DOWNLOAD_AGAIN };
        if found == expected { Ok(()) } else { Err(size()) }
    };
    // before reading, so that a file of any size is refused at once
    check(fs::metadata(path).map_err(io)?.len())?;
    let bytes = fs::read(path).map_err(io)?;
    check(bytes.len() as u64)?;
    for (index, record) in bytes.chunks_exact(record).enumerate() {
        let (labels, planes) = record.split_at(layout.label_bytes);
        let label = labels.last().copied().unwrap_or_default();
        part.push(layout, path, index, u64::from(label), planes)?;
    }
    Ok(())
}

/// The class names, one a line.
pub(super) fn names(_: &Layout, path: &Path) -> Result<Vec<String>, DataError> {
    let bytes = fs::read(path).map_err(|source| DataError::Read { path: path.into(), source })?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect())
}
