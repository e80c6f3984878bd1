//! Atomic replacement of files, and locks against concurrent writers.

use crate::exit::UsageError;
use anyhow::{Context, Result};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::Path;

/// Replaces a file atomically: writes `PATH.new` and renames it, so that a reader sees the old or the new file, whole.
///
/// # Errors
/// The file cannot be written; the message names it.
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

/// Creates a directory and its parents.
///
/// # Errors
/// The directory cannot be created.
pub fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
        .with_context(|| format!("cannot create the directory {}; choose another --out", path.display()))
}

/// Locks `file` against other processes of this program until it is closed. `name` is the output that it protects, for
/// the message.
///
/// # Errors
/// Another process holds the lock.
pub fn lock(file: &File, name: &Path) -> Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            let problem = "is in use by another nas-train process; wait for its end, or choose another --out";
            Err(UsageError(format!("{} {problem}", name.display())).into())
        }
        // Some file systems do not support locks; the program then runs without.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_without_leaving_a_temporary_file() {
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
    fn a_second_lock_is_an_error_until_the_first_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let open = || File::create(dir.path().join("lock")).unwrap();
        let first = open();
        lock(&first, dir.path()).unwrap();
        let message = lock(&open(), dir.path()).unwrap_err().to_string();
        assert!(message.contains("is in use by another nas-train"), "{message}");
        drop(first);
        lock(&open(), dir.path()).unwrap();
    }
}
