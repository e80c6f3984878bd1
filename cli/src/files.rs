//! Replacement of files, locks against concurrent writers, and error messages that name the file.

use crate::exit::UsageError;
use crate::machine::unique_name;
use anyhow::{Context, Result};
use nas_core::{durable, read_file};
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait until a file that is listed can be read.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(60);
/// Time between two attempts to read it.
const PAUSE: Duration = Duration::from_millis(200);

/// Replaces a file atomically: writes `PATH.new` and renames it, so that a reader sees the old or the new file, whole.
/// The new file is on the disk when the function returns. A failed write leaves no `PATH.new`.
///
/// # Errors
/// The file cannot be written; the message names it.
pub fn write(path: &Path, text: &str) -> Result<()> {
    write_bytes(path, text.as_bytes())
}

/// As [`write()`], for any content.
///
/// # Errors
/// The file cannot be written; the message names it.
pub fn write_bytes(path: &Path, content: &[u8]) -> Result<()> {
    replace(path, &temporary(path), content)
}

/// As [`write()`], for a file that several processes may write at the same time, also of different machines. The last
/// one wins.
///
/// # Errors
/// The file cannot be written; the message names it.
pub fn write_shared(path: &Path, text: &str) -> Result<()> {
    replace(path, &path.with_file_name(unique_name(path)), text.as_bytes())
}

/// Creates a file with its content; an existing one stays. Of several processes, also of different machines, one
/// succeeds, and none sees the file without its content.
///
/// # Errors
/// The file exists ([`ErrorKind::AlreadyExists`]), or it cannot be written.
pub fn create_shared(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_file_name(unique_name(path));
    let created = durable::write(&beside, text.as_bytes()).and_then(|()| match fs::hard_link(&beside, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            // This file system has no hard links.
            File::create_new(path).and_then(|mut file| {
                let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
                written.inspect_err(|_| drop(fs::remove_file(path)))
            })
        }
        created => created,
    });
    let _ = fs::remove_file(&beside);
    created.and_then(|()| durable::sync_dir(path.parent().unwrap_or(Path::new(""))))
}

fn replace(path: &Path, beside: &Path, content: &[u8]) -> Result<()> {
    let written = || -> io::Result<()> {
        durable::write(beside, content)?;
        fs::rename(beside, path)
    };
    written()
        .inspect_err(|_| drop(fs::remove_file(beside)))
        .and_then(|()| durable::sync_dir(path.parent().unwrap_or(Path::new(""))))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// As [`write_bytes`], for a path that does not exist yet.
///
/// # Errors
/// The path exists, or the file cannot be written.
pub fn write_new(path: &Path, content: &[u8]) -> Result<()> {
    check_new(path)?;
    write_bytes(path, content)
}

/// Checks that a path does not exist.
///
/// # Errors
/// It exists.
pub fn check_new(path: &Path) -> Result<(), UsageError> {
    match path.symlink_metadata() {
        Ok(_) => Err(UsageError(format!("{} exists: choose another file, or remove it", path.display()))),
        Err(_) => Ok(()),
    }
}

/// Checks that new files can be written: they do not exist, their directories do, and no two are the same file.
///
/// # Errors
/// The first file that fails a check.
pub fn check_all_new<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Result<(), UsageError> {
    let mut canonical = Vec::new();
    for path in paths {
        check_new(path)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Some(dir) = parent.canonicalize().ok().filter(|dir| dir.is_dir()) else {
            let problem = format!("there is no directory {}; create it", parent.display());
            return Err(UsageError(format!("cannot write {}: {problem}", path.display())));
        };
        let file = dir.join(path.file_name().unwrap_or_default());
        if canonical.contains(&file) {
            return Err(UsageError(format!("{} is given for two outputs: choose different files", path.display())));
        }
        canonical.push(file);
    }
    Ok(())
}

/// The path of the temporary file of [`write()`].
pub fn temporary(path: &Path) -> PathBuf {
    let mut beside = OsString::from(path);
    beside.push(".new");
    beside.into()
}

/// Replaces the content of an existing file without a new file. A full disk may allow this where it does not allow
/// [`write()`]. A reader may see a mixture of both contents.
///
/// # Errors
/// The file cannot be written; the message names it.
pub fn overwrite(path: &Path, text: &str) -> Result<()> {
    let written = || -> io::Result<()> {
        let mut file = File::options().write(true).open(path)?;
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)?;
        file.sync_all()
    };
    written().with_context(|| format!("cannot write {}", path.display()))
}

/// Removes a file, if it exists.
///
/// # Errors
/// The file cannot be removed; the message names it.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.with_context(|| format!("cannot remove {}", path.display())),
    }
}

/// Whether a directory lists an entry. Shared file systems keep the absence of an entry for seconds, but not listings.
pub fn is_listed(path: &Path) -> bool {
    if path.exists() {
        return true;
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries.any(|entry| Some(entry.file_name().as_os_str()) == path.file_name())
}

/// Waits until an entry that its directory lists can be found, for a while.
pub fn wait_until_visible(path: &Path) {
    let started = Instant::now();
    while !path.exists() && is_listed(path) && started.elapsed() < VISIBILITY_TIMEOUT {
        thread::sleep(PAUSE);
    }
}

/// Reads a text file of at most `limit` bytes. A file that its directory lists but that cannot be found was written by
/// another machine a moment ago: then, this waits until it can be read.
///
/// # Errors
/// The file does not exist or cannot be read.
pub fn shared_text(path: &Path, limit: u64) -> io::Result<String> {
    let started = Instant::now();
    loop {
        match read_file::text(path, limit) {
            Err(error)
                if error.kind() == ErrorKind::NotFound && is_listed(path) && started.elapsed() < VISIBILITY_TIMEOUT =>
            {
                thread::sleep(PAUSE);
            }
            text => return text,
        }
    }
}

/// Creates a directory and its parents.
///
/// # Errors
/// The directory cannot be created.
pub fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
        .with_context(|| format!("cannot create the directory {}; choose another --out", path.display()))
}

/// Whether a directory has other entries than the known ones. A path that does not exist counts as an empty directory.
///
/// # Errors
/// The path is not a directory, or it cannot be read.
pub fn has_others(path: &Path, known: &[&str]) -> io::Result<bool> {
    match fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        entries => Ok(entries?.flatten().any(|entry| !known.iter().any(|name| entry.file_name() == *name))),
    }
}

/// Locks `file` against other processes of this program until it is closed. `name` is the output that it protects, for
/// the message.
///
/// # Errors
/// Another process holds the lock.
pub fn lock(file: &File, name: &Path) -> Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(in_use(name)),
        // Some file systems do not support locks; the program then runs without.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// The error of an output that another process of this program writes.
pub fn in_use(name: &Path) -> anyhow::Error {
    let problem = "is in use by another nas-train process; wait until that process ends, or choose another directory";
    UsageError(format!("{} {problem}", name.display())).into()
}

/// The error with the path of the file in its message.
pub fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
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
    fn a_failed_write_leaves_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        // A file cannot replace a directory, so the last step of the write fails.
        let path = dir.path().join("a");
        fs::create_dir(&path).unwrap();
        write(&path, "text").unwrap_err();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn one_of_several_creators_of_a_file_succeeds_and_leaves_no_other_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan");
        let texts: Vec<String> = (0..8).map(|creator| creator.to_string().repeat(100_000)).collect();
        let created: Vec<io::Result<()>> = thread::scope(|scope| {
            let creators: Vec<_> = texts.iter().map(|text| scope.spawn(|| create_shared(&path, text))).collect();
            creators.into_iter().map(|creator| creator.join().unwrap()).collect()
        });
        let (successes, errors): (Vec<_>, Vec<_>) =
            created.iter().zip(&texts).partition(|(created, _)| created.is_ok());
        assert_eq!((successes.len(), fs::read_dir(dir.path()).unwrap().count()), (1, 1));
        assert_eq!(&fs::read_to_string(&path).unwrap(), successes[0].1);
        for (created, _) in errors {
            assert_eq!(created.as_ref().unwrap_err().kind(), ErrorKind::AlreadyExists);
        }
    }

    #[test]
    fn entries_are_listed_with_and_without_a_directory_in_their_path() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "text").unwrap();
        assert!(is_listed(&dir.path().join("a")) && is_listed(Path::new("Cargo.toml")));
        assert!(!is_listed(&dir.path().join("b")) && !is_listed(Path::new("none")) && !is_listed(Path::new("none/a")));
        assert_eq!(shared_text(&dir.path().join("a"), 100).unwrap(), "text");
        assert_eq!(shared_text(&dir.path().join("b"), 100).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn an_overwritten_file_has_the_new_content_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "a longer text").unwrap();
        overwrite(&path, "short").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "short");
        assert!(overwrite(&dir.path().join("missing"), "").is_err());
    }

    #[test]
    fn new_files_have_a_directory_and_different_names() {
        let dir = tempfile::tempdir().unwrap();
        let check = |names: &[&str]| {
            let paths: Vec<PathBuf> = names.iter().map(|name| dir.path().join(name)).collect();
            check_all_new(paths.iter()).map_err(|error| error.to_string())
        };
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::write(dir.path().join("old"), "").unwrap();
        assert_eq!(check(&["a", "b", "sub/a"]), Ok(()));
        assert!(check(&["a", "sub/../a"]).unwrap_err().contains("is given for two outputs"));
        assert!(check(&["a", "none/b"]).unwrap_err().contains("there is no directory "));
        assert!(check(&["a", "old/b"]).unwrap_err().contains("there is no directory "));
        assert!(check(&["old"]).unwrap_err().contains("exists: choose another file"));
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
