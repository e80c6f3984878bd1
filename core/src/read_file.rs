//! Reading whole files with a limit on their size, so that a wrong path costs neither memory nor time.
//!
//! Every file that a user names or that stands in a user's folder is read by these functions. A pipe or a device, such
//! as `/dev/zero`, has no size and may never end, so only regular files are accepted.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Opens a regular file. A pipe is refused without waiting for its writer.
///
/// # Errors
/// The file cannot be opened, or it is a directory, a pipe or a device.
pub fn open(path: &Path) -> io::Result<File> {
    // Opening a pipe blocks until it has a writer, so its type is checked first.
    check_regular(&path.metadata()?.file_type())?;
    let file = File::open(path)?;
    // The path may name another file by now.
    check_regular(&file.metadata()?.file_type())?;
    Ok(file)
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// The file cannot be read, is not a regular file, or has more than `limit` bytes. A file that is too large is refused
/// before any memory is allocated for it.
pub fn bytes(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let length = file.metadata()?.len();
    if length > limit {
        return Err(too_large(limit));
    }
    let mut content = Vec::new();
    content.try_reserve_exact(length as usize).map_err(|_| ErrorKind::OutOfMemory)?;
    // Files of /proc have the length 0, and another process may append to a file.
    file.take(limit.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() as u64 > limit { Err(too_large(limit)) } else { Ok(content) }
}

/// Reads a regular file of at most `limit` bytes of UTF-8 text.
///
/// # Errors
/// Those of [`bytes`], and bytes that are not UTF-8.
pub fn text(path: &Path, limit: u64) -> io::Result<String> {
    let not_text = |_| io::Error::new(ErrorKind::InvalidData, "the file is not UTF-8 text");
    String::from_utf8(bytes(path, limit)?).map_err(not_text)
}

fn check_regular(kind: &std::fs::FileType) -> io::Result<()> {
    let found = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a directory",
        _ => "a pipe or a device",
    };
    Err(io::Error::new(ErrorKind::InvalidInput, format!("expected a regular file, found {found}")))
}

fn too_large(limit: u64) -> io::Error {
    io::Error::new(ErrorKind::FileTooLarge, format!("expected at most {limit} bytes, the file has more"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_up_to_the_limit_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "four").unwrap();
        assert_eq!(bytes(&path, 4).unwrap(), b"four");
        assert_eq!(text(&path, 9).unwrap(), "four");
        let error = bytes(&path, 3).unwrap_err();
        assert_eq!(error.to_string(), "expected at most 3 bytes, the file has more");
        fs::write(&path, b"\xff").unwrap();
        assert_eq!(text(&path, 9).unwrap_err().to_string(), "the file is not UTF-8 text");
    }

    #[test]
    fn directories_devices_and_endless_files_are_refused() {
        let message = |path: &str| bytes(Path::new(path), 1000).unwrap_err().to_string();
        assert_eq!(message("."), "expected a regular file, found a directory");
        #[cfg(unix)]
        assert_eq!(message("/dev/zero"), "expected a regular file, found a pipe or a device");
        assert_eq!(bytes(Path::new("none"), 1000).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_huge_sparse_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(bytes(&path, 1000).unwrap_err().kind(), ErrorKind::FileTooLarge);
    }
}
