//! The directories in which a comparison makes its runs.
//!
//! A comparison removes files only where it made them: each of its run directories has a marker, which is written
//! first.

use crate::archive::{Incomplete, contains, event_file};
use crate::exit::UsageError;
use crate::files;
use crate::record::{MARKER, check_unused, remove_run};
use crate::tensorboard::EventFile;
use anyhow::{Context, Result};
use nas_core::durable;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// The content of the marker, for readers.
const TEXT: &str = "Made by `nas-train compare`, which continues or repeats this run if it is unfinished.\n";

/// Checks that a run may be made in a directory: it is missing or empty, or a comparison made it. Its event files must
/// come from this run. `incomplete` is the reason why the directory holds no finished run.
///
/// # Errors
/// The message names the directory and the remedy.
pub fn check(dir: &Path, tensorboard: Option<&Path>, incomplete: &Incomplete) -> Result<()> {
    if !is_free(dir)? {
        let found = match incomplete {
            Incomplete::NoManifest { .. } => "files that no comparison made".into(),
            other => format!("a run that no comparison made, and {other}"),
        };
        return Err(refused(dir, &found));
    }
    tensorboard.map_or(Ok(()), |events| EventFile::check(events, own_event_file(dir).as_deref()))
}

/// Prepares a directory for a run: creates it with the marker, or removes the files of an earlier run of the
/// comparison. Other files, such as notes of the user, stay.
///
/// # Errors
/// The directory has files that no comparison made, or a file cannot be written or removed.
pub fn prepare(dir: &Path, tensorboard: Option<&Path>) -> Result<()> {
    if !is_free(dir)? {
        return Err(refused(dir, "files that no comparison made"));
    }
    files::make_dir(dir)?;
    let is_packed = contains(dir, MARKER)?;
    if write_marker(dir)? && !is_packed {
        // Another program may have chosen the directory at the same time.
        if files::has_others(dir, &[MARKER]).unwrap_or(true) {
            files::remove(&dir.join(MARKER))?;
            return Err(files::in_use(dir));
        }
        return Ok(());
    }
    check_unused(dir)?;
    if let Some((events, own)) = tensorboard.zip(own_event_file(dir)) {
        EventFile::remove(events, &own)?;
    }
    remove_run(dir)
}

/// Whether the directory is missing, empty, or marked. The marker of a packed run is in its archive.
fn is_free(dir: &Path) -> Result<bool> {
    if dir.join(MARKER).exists() {
        return Ok(true);
    }
    match files::has_others(dir, &[]) {
        Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(false),
        others => {
            let has_others = others.with_context(|| format!("cannot read the directory {}", dir.display()))?;
            Ok(!has_others || contains(dir, MARKER)?)
        }
    }
}

/// Marks a directory as one whose run may be repeated.
///
/// # Errors
/// The marker cannot be written.
pub fn mark(dir: &Path) -> io::Result<()> {
    match File::create_new(dir.join(MARKER)) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        file => file.and_then(|mut file| file.write_all(TEXT.as_bytes())),
    }
}

/// Removes the mark of a directory.
///
/// # Errors
/// The marker cannot be removed.
pub fn unmark(dir: &Path) -> Result<()> {
    files::remove(&dir.join(MARKER))
}

/// Writes the marker. Returns false if it was there before.
fn write_marker(dir: &Path) -> Result<bool> {
    let path = dir.join(MARKER);
    let written = match File::create_new(&path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        file => file.and_then(|mut file| file.write_all(TEXT.as_bytes()).and_then(|()| file.sync_all())),
    };
    written.and_then(|()| durable::sync_dir(dir)).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}

/// The event file that the earlier run in the directory wrote. A damaged manifest cannot name any other file.
fn own_event_file(dir: &Path) -> Option<String> {
    event_file(dir).filter(|name| EventFile::is_name(name))
}

fn refused(dir: &Path, found: &str) -> anyhow::Error {
    let remedy = "move or remove the directory, or choose another --out";
    UsageError(format!("{} holds {found}: {remedy}", dir.display())).into()
}
