//! The binary version of the archives. A record consists of the label bytes and three planes, 3,073 bytes in CIFAR-10.

use std::fs;
use std::path::Path;

use super::{ArchiveLayout, DOWNLOAD_AGAIN, DataError, PLANE, PartialImages};

pub(super) fn read(
    layout: &ArchiveLayout,
    path: &Path,
    records: usize,
    part: &mut PartialImages,
) -> Result<(), DataError> {
    let record = layout.label_bytes + 3 * PLANE;
    let io = |source| DataError::Read { path: path.into(), source };
    let check = |found: u64| {
        let expected = (records * record) as u64;
        let size = || DataError::Size { path: path.into(), expected, found, fix: DOWNLOAD_AGAIN };
        if found == expected { Ok(()) } else { Err(size()) }
    };
    // The size is checked before the file is read, so a huge file costs no memory.
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

/// Reads the class names, one per line.
pub(super) fn names(_: &ArchiveLayout, path: &Path) -> Result<Vec<String>, DataError> {
    let bytes = fs::read(path).map_err(|source| DataError::Read { path: path.into(), source })?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect())
}
