//! Files that nobody sees half written, and directories that only one process writes to.

use crate::exit::UsageError;
use anyhow::{Context, Result};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::Path;

/// Writes a file beside its place and renames it, so that there is always a whole one, the old or the new.
///
/// # Errors
/// A file that cannot be written; the message names it.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let written = || -> io::Result<()> {
        let mut file = File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    written().with_context(|| format!("cannot write {}", path.display()))
}

/// Makes a directory, its parents included.
///
/// # Errors
/// A directory that cannot be made.
pub fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make {}; choose another --out", path.display()))
}

/// Keeps other processes from writing what `file` stands for, as long as `file` is open.
///
/// # Errors
/// Another process does so already.
pub fn lock(file: &File, name: &Path) -> Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            let problem = "is being written by another nas-train: wait for it to end, or choose another --out";
            Err(UsageError(format!("{} {problem}", name.display())).into())
        }
        // A file system without locks is no reason not to work.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        for text in ["one", "two"] {
            write(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let error = write(&dir.path().join("none/a.json"), "").unwrap_err();
        assert!(error.to_string().starts_with("cannot write "), "{error}");
    }

    #[test]
    fn one_writer_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let open = || File::create(dir.path().join("lock")).unwrap();
        let first = open();
        lock(&first, dir.path()).unwrap();
        let message = lock(&open(), dir.path()).unwrap_err().to_string();
        assert!(message.contains("is being written by another nas-train"), "{message}");
        drop(first);
        lock(&open(), dir.path()).unwrap();
    }
}
