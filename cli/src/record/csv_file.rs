//! A CSV file whose rows are collected in memory.

use super::run_file::{FileDigest, FilePosition, RunFile};
use anyhow::Result;
use csv::Writer;
use std::io::{self, Write};
use std::mem;
use std::path::Path;

/// Rows in memory are written when they reach this size, in bytes.
const MAX_BUFFERED_BYTES: usize = 1 << 16;

/// A CSV file. Its rows stay in memory until [`flush`](Self::flush), because each write to a network file system is
/// slow. Only whole rows are written.
pub struct CsvFile {
    file: RunFile,
    /// The rows that are not written yet.
    waiting: Writer<Vec<u8>>,
    rows: u64,
}

impl CsvFile {
    /// Creates a file with this header.
    ///
    /// # Errors
    /// The file exists or cannot be written.
    pub fn create(path: &Path, header: &[&str]) -> Result<Self> {
        let mut csv = Self::on(RunFile::create(path)?);
        csv.add(header)?;
        csv.flush()?;
        Ok(csv)
    }

    /// Opens the file of an earlier process at a position. [`cut`](Self::cut) removes the rows that follow.
    ///
    /// # Errors
    /// As [`RunFile::open_at`].
    pub fn open_at(path: &Path, position: &FilePosition) -> Result<Self> {
        Ok(Self { rows: position.digest.rows.unwrap_or(0), ..Self::on(RunFile::open_at(path, position)?) })
    }

    /// As [`RunFile::cut`].
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn cut(&self) -> io::Result<()> {
        self.file.cut()
    }

    fn on(file: RunFile) -> Self {
        Self { file, waiting: Writer::from_writer(Vec::new()), rows: 0 }
    }

    /// Writes the rows in memory, waits until all rows are on the disk, and returns the length and digest of the file.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn position(&mut self) -> io::Result<FilePosition> {
        self.flush()?;
        self.file.sync()?;
        Ok(self.file.position(Some(self.rows)))
    }

    /// Appends a row.
    ///
    /// # Errors
    /// The rows in memory exceed [`MAX_BUFFERED_BYTES`], and the file cannot be written; the message names it.
    pub fn row(&mut self, fields: &[&str]) -> io::Result<()> {
        self.add(fields)?;
        self.rows += 1;
        if self.waiting.get_ref().len() < MAX_BUFFERED_BYTES { Ok(()) } else { self.flush() }
    }

    fn add(&mut self, fields: &[&str]) -> io::Result<()> {
        self.waiting.write_record(fields)?;
        self.waiting.flush()
    }

    /// Passes the rows in memory to the operating system. Rows that cannot be written are lost.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.waiting.get_ref().is_empty() {
            return Ok(());
        }
        let waiting = mem::replace(&mut self.waiting, Writer::from_writer(Vec::new()));
        let rows = waiting.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        self.file.write_all(&rows)
    }

    /// Writes the rows in memory, waits until all rows are on the disk, and returns their number and SHA-256.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn complete(&mut self) -> io::Result<FileDigest> {
        self.flush()?;
        self.file.sync()?;
        Ok(self.file.digest(Some(self.rows)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn fields_are_quoted_where_needed_and_rows_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let mut csv = CsvFile::create(&path, &["arch", "text"]).unwrap();
        csv.row(&["a,b", "|c~0|"]).unwrap();
        let text = "arch,text\n\"a,b\",|c~0|\n";
        assert_eq!(csv.complete().unwrap(), FileDigest::of("a.csv", text.as_bytes()));
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn rows_stay_in_memory_until_they_are_flushed_or_too_many() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let mut csv = CsvFile::create(&path, &["a"]).unwrap();
        csv.row(&["1"]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\n");
        assert_eq!(csv.position().unwrap().digest, FileDigest::of("a.csv", b"a\n1\n"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\n1\n");
        let long = "x".repeat(MAX_BUFFERED_BYTES - 2);
        csv.row(&[&long]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().len(), 4);
        csv.row(&["2"]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("a\n1\n{long}\n2\n"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_error_of_a_full_disk_names_the_file() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut csv = CsvFile::on(RunFile::on(Path::new("runs/a/metrics.csv"), full));
        csv.row(&["1"]).unwrap();
        let error = csv.flush().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().starts_with("runs/a/metrics.csv: No space left"), "{error}");
    }
}
