//! A file of a run directory that grows during the run, and the digest of its content.

use crate::files::named;
use anyhow::{Context, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The row count and the SHA-256 by which a reader notices a damaged file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileDigest {
    /// Number of rows of a CSV file, without its header; none for other files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// SHA-256 of the bytes, in hexadecimal digits.
    pub sha256: String,
}

impl FileDigest {
    /// The digest of a file that was written at once.
    pub fn of(name: &str, text: &str) -> Self {
        let rows = name.ends_with(".csv").then(|| (text.lines().count() as u64).saturating_sub(1));
        Self { rows, sha256: hexadecimal(&Sha256::digest(text)) }
    }
}

/// A new file. Its errors name it.
pub struct RunFile {
    path: PathBuf,
    file: File,
    sha256: Sha256,
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

    /// Writes to an open file.
    pub fn on(path: &Path, file: File) -> Self {
        Self { path: path.into(), file, sha256: Sha256::new() }
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
        FileDigest { rows, sha256: hexadecimal(&self.sha256.clone().finalize()) }
    }
}

impl Write for RunFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes).map_err(|error| named(&self.path, &error))?;
        self.sha256.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn hexadecimal(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
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
        let expected = FileDigest::of("a.csv", "a,b\n1,2\n");
        assert_eq!(file.digest(Some(1)), expected);
        assert_eq!(expected.sha256, "492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470");
    }
}
