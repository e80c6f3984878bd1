//! `record.tar`: the small files of a packed run in one file, because file systems of clusters limit their number.
//!
//! An archive may come from anywhere. Its entries are read in memory and never unpacked.

mod pack;

pub use pack::pack;

use super::Incomplete;
use anyhow::{Context, Result};
use nas_core::{quote, read_file};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The archive in a run directory.
pub const ARCHIVE: &str = "record.tar";
/// Largest number of files in an archive.
const MAX_ENTRIES: usize = 64;
/// Size of a header, and the unit of the size of a file.
const BLOCK: u64 = 512;
/// Size of the zeros at the end of an archive.
const END: u64 = 2 * BLOCK;

/// Whether a run directory is packed, wholly or in part.
pub fn is_packed(dir: &Path) -> bool {
    dir.join(ARCHIVE).exists()
}

/// The content of a file in the archive of a run directory; none if there is no archive, or no such file in it.
///
/// # Errors
/// A damaged archive, a file of more than `limit` bytes, or an archive that cannot be read.
pub fn bytes(dir: &Path, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
    let Some(mut file) = open(dir)? else { return Ok(None) };
    let mut entries = Vec::new();
    list(&file, &mut entries).map_err(damaged)?;
    let Some(entry) = entries.into_iter().find(|entry| entry.name == Path::new(name)) else { return Ok(None) };
    if entry.length > limit {
        return Err(damaged(problem(format!("{name} has more than {limit} bytes"))).into());
    }
    let mut read = || -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        content.try_reserve_exact(entry.length as usize).map_err(|_| ErrorKind::OutOfMemory)?;
        file.seek(SeekFrom::Start(entry.start))?;
        file.by_ref().take(entry.length).read_to_end(&mut content)?;
        Ok(content)
    };
    Ok(Some(read().with_context(unreadable)?))
}

/// Whether the archive of a run directory contains a file. An archive that is damaged after this file counts.
///
/// # Errors
/// An archive that cannot be read.
pub fn contains(dir: &Path, name: &str) -> Result<bool> {
    let Some(file) = open(dir)? else { return Ok(false) };
    let mut entries = Vec::new();
    let _ = list(&file, &mut entries);
    Ok(entries.iter().any(|entry| entry.name == Path::new(name)))
}

/// The archive of a run directory, if there is one.
fn open(dir: &Path) -> Result<Option<File>> {
    match read_file::open(&dir.join(ARCHIVE)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        file => file.map(Some).with_context(unreadable),
    }
}

/// A file in an archive.
struct Entry {
    name: PathBuf,
    /// Position of its content in the archive.
    start: u64,
    length: u64,
}

/// Adds the files of an archive to `entries`, up to the first damage. Extended headers are refused: they may have any
/// size, and [`pack`] writes none.
fn list(archive: &File, entries: &mut Vec<Entry>) -> io::Result<()> {
    let size = archive.metadata()?.len();
    let mut end = 0;
    for entry in tar::Archive::new(archive).entries_with_seek()?.raw(true) {
        let entry = entry?;
        let name = entry.header().path()?.into_owned();
        let shown = || format!("`{}`", quote(&name.to_string_lossy()));
        if name.file_name() != Some(name.as_os_str()) || !entry.header().entry_type().is_file() {
            return Err(problem(format!("{} is not the name of a file", shown())));
        }
        if entries.iter().any(|other| other.name == name) {
            return Err(problem(format!("it contains {} twice", shown())));
        }
        if entries.len() == MAX_ENTRIES {
            return Err(problem(format!("it contains more than {MAX_ENTRIES} files")));
        }
        let (start, length) = (entry.raw_file_position(), entry.header().entry_size()?);
        let next = length.checked_next_multiple_of(BLOCK).and_then(|length| length.checked_add(start));
        end = next.filter(|next| *next <= size).ok_or_else(|| problem(format!("{} is cut short", shown())))?;
        entries.push(Entry { name, start, length });
    }
    if size - end < END { Err(problem("its end is missing".into())) } else { Ok(()) }
}

fn problem(text: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, text)
}

fn damaged(error: io::Error) -> Incomplete {
    Incomplete::Damaged { file: ARCHIVE.into(), problem: error.to_string() }
}

fn unreadable() -> String {
    format!("{ARCHIVE} cannot be read")
}

#[cfg(test)]
mod tests;
