//! A file of a run directory that grows during the run, and the digest of its content.

use crate::exit::UsageError;
use crate::files::{self, named};
use anyhow::{Context, Result};
use nas_core::sha256;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The row count and the SHA-256 by which a reader notices a damaged file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDigest {
    /// Number of rows of a CSV file, without its header; none for other files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// SHA-256 of the bytes, in hexadecimal digits.
    pub sha256: String,
}

impl FileDigest {
    /// The digest of a file that was written at once.
    pub fn of(name: &str, content: &[u8]) -> Self {
        let line_ends = || content.iter().filter(|byte| **byte == b'\n').count() as u64;
        let rows = name.ends_with(".csv").then(|| line_ends().saturating_sub(1));
        Self { rows, sha256: sha256::of(content) }
    }
}

/// The part of a file that belongs to a checkpoint. Later content is removed when the run resumes from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePosition {
    /// Length in bytes.
    pub bytes: u64,
    /// The digest of these bytes.
    #[serde(flatten)]
    pub digest: FileDigest,
}

/// A file that is written during a run. Its errors name it.
pub struct RunFile {
    path: PathBuf,
    file: File,
    sha256: Sha256,
    bytes: u64,
}

impl RunFile {
    /// Creates the file.
    ///
    /// # Errors
    /// The file exists or cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create_new(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self::on(path, file))
    }

    /// Opens the file of an earlier process and checks its content up to a position. [`cut`](Self::cut) removes what
    /// follows, which must happen before anything is written.
    ///
    /// # Errors
    /// The file cannot be opened for reading and writing, or its content before the position has changed.
    pub fn open_at(path: &Path, position: &FilePosition) -> Result<Self> {
        let open = || -> io::Result<Self> {
            let file = File::options().read(true).write(true).open(path)?;
            let mut reopened = Self::on(path, file);
            reopened.bytes = sha256::update(&mut reopened.sha256, (&reopened.file).take(position.bytes))?;
            Ok(reopened)
        };
        let reopened = open().with_context(|| format!("cannot read {}", path.display()))?;
        let bytes = reopened.bytes;
        if bytes != position.bytes || reopened.digest(position.digest.rows) != position.digest {
            let problem =
                "has changed since the checkpoint, so the run cannot be resumed; run it again into another --out";
            return Err(UsageError(format!("{} {problem}", path.display())).into());
        }
        Ok(reopened)
    }

    /// Removes what follows after the position of [`open_at`](Self::open_at).
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn cut(&self) -> io::Result<()> {
        let cut = self.file.set_len(self.bytes).and_then(|()| (&self.file).seek(SeekFrom::Start(self.bytes)).map(drop));
        cut.map_err(|error| named(&self.path, &error))
    }

    /// Writes to an open file.
    pub fn on(path: &Path, file: File) -> Self {
        Self { path: path.into(), file, sha256: Sha256::new(), bytes: 0 }
    }

    /// Locks the file against other processes until it is closed. `name` is the output that it protects.
    ///
    /// # Errors
    /// Another process holds the lock.
    pub fn lock(&self, name: &Path) -> Result<()> {
        files::lock(&self.file, name)
    }

    /// Length and digest of the bytes written so far.
    pub fn position(&self, rows: Option<u64>) -> FilePosition {
        FilePosition { bytes: self.bytes, digest: self.digest(rows) }
    }

    /// Waits until the content is on the disk.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all().map_err(|error| named(&self.path, &error))
    }

    /// The digest of what was written.
    pub fn digest(&self, rows: Option<u64>) -> FileDigest {
        FileDigest { rows, sha256: sha256::hex(&self.sha256.clone().finalize()) }
    }
}

impl Write for RunFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes).map_err(|error| named(&self.path, &error))?;
        self.sha256.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf 'a,b\n1,2\n' | sha256sum`
    #[test]
    fn the_digest_is_that_of_the_content() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = RunFile::create(&dir.path().join("a.csv")).unwrap();
        file.write_all(b"a,b\n").unwrap();
        file.write_all(b"1,2\n").unwrap();
        let expected = FileDigest::of("a.csv", "a,b\n1,2\n".as_bytes());
        assert_eq!(file.digest(Some(1)), expected);
        assert_eq!(expected.sha256, "492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470");
    }

    #[test]
    fn a_reopened_file_continues_at_the_position() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let mut file = RunFile::create(&path).unwrap();
        file.write_all(b"a,b\n1,2\n").unwrap();
        let position = file.position(Some(1));
        file.write_all(b"lost\n").unwrap();
        drop(file);
        let mut file = RunFile::open_at(&path, &position).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("lost\n"), "a check changes nothing");
        file.cut().unwrap();
        file.write_all(b"3,4\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a,b\n1,2\n3,4\n");
        assert_eq!(file.digest(Some(2)), FileDigest::of("a.csv", "a,b\n1,2\n3,4\n".as_bytes()));
        for changed in ["a,b\n1,3\n", "a,b\n"] {
            std::fs::write(&path, changed).unwrap();
            let error = RunFile::open_at(&path, &position).err().unwrap();
            assert!(error.to_string().contains("has changed since the checkpoint"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), changed);
        }
    }
}
