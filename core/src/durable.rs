//! Files that are on the disk when a function returns.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Creates or replaces a file and waits until its content is on the disk.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Waits until the entries of a directory are on the disk: files that were created, renamed or removed.
///
/// # Errors
/// The directory cannot be written.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    match File::open(path).and_then(|dir| dir.sync_all()) {
        // Some file systems cannot do this for directories.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        done => done,
    }
}
