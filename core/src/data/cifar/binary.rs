//! The binary version of the archives. A record consists of the label bytes and three planes, 3,073 bytes in CIFAR-10.

use std::fs;
use std::path::Path;

use super::{ArchiveLayout, DOWNLOAD_AGAIN, DataError, MAX_NAMES, PLANE, PartialImages};
use crate::read_file;

pub(super) fn read(
    layout: &ArchiveLayout,
    path: &Path,
    records: usize,
    part: &mut PartialImages,
) -> Result<(), DataError> {
    let record = layout.label_bytes + 3 * PLANE;
    let io = |source| DataError::Read { path: path.into(), source };
    let expected = (records * record) as u64;
    // The size is checked before the file is read, so a huge file costs no memory.
    let found = fs::metadata(path).map_err(io)?.len();
    if found != expected {
        return Err(DataError::Size { path: path.into(), expected, found, fix: DOWNLOAD_AGAIN });
    }
    let bytes = read_file::bytes(path, expected).map_err(io)?;
    for (index, record) in bytes.chunks_exact(record).enumerate() {
        let (labels, planes) = record.split_at(layout.label_bytes);
        let label = labels.last().copied().unwrap_or_default();
        part.push(layout, path, index, u64::from(label), planes)?;
    }
    Ok(())
}

/// Reads the class names, one per line.
pub(super) fn names(_: &ArchiveLayout, path: &Path) -> Result<Vec<String>, DataError> {
    let bytes = read_file::bytes(path, MAX_NAMES).map_err(|source| DataError::Read { path: path.into(), source })?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect())
}
