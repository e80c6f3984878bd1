//! A CSV file that is written row by row.

use super::run_file::{FileDigest, FilePosition, RunFile};
use anyhow::Result;
use csv::{Writer, WriterBuilder};
use std::io;
use std::path::Path;

/// A CSV file. [`row`](Self::row) passes each row to the operating system before it returns.
pub struct CsvFile {
    writer: Writer<RunFile>,
    rows: u64,
}

impl CsvFile {
    /// Creates a file with this header.
    ///
    /// # Errors
    /// The file exists or cannot be written.
    pub fn create(path: &Path, header: &[&str]) -> Result<Self> {
        let mut csv = Self::on(RunFile::create(path)?);
        csv.write(header)?;
        Ok(csv)
    }

    /// Opens the file of an earlier process at a position, and removes the rows that follow.
    ///
    /// # Errors
    /// As [`RunFile::reopen`].
    pub fn reopen(path: &Path, position: &FilePosition) -> Result<Self> {
        Ok(Self { rows: position.digest.rows.unwrap_or(0), ..Self::on(RunFile::reopen(path, position)?) })
    }

    fn on(file: RunFile) -> Self {
        Self { writer: WriterBuilder::new().from_writer(file), rows: 0 }
    }

    /// What was written so far.
    pub fn position(&self) -> FilePosition {
        self.writer.get_ref().position(Some(self.rows))
    }

    /// Appends a row.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn row(&mut self, fields: &[&str]) -> io::Result<()> {
        self.write(fields)?;
        self.rows += 1;
        Ok(())
    }

    fn write(&mut self, fields: &[&str]) -> io::Result<()> {
        self.writer.write_record(fields).map_err(io::Error::from).and_then(|()| self.writer.flush())
    }

    /// Waits until all rows are on the disk.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn sync(&self) -> io::Result<()> {
        self.writer.get_ref().sync()
    }

    /// Number of rows and SHA-256 of what was written.
    pub fn digest(&self) -> FileDigest {
        self.writer.get_ref().digest(Some(self.rows))
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
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(csv.digest(), FileDigest::of("a.csv", text.as_bytes()));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_error_of_a_full_disk_names_the_file() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let full = RunFile::on(Path::new("runs/a/metrics.csv"), full);
        let error = CsvFile::on(full).row(&["1"]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().starts_with("runs/a/metrics.csv: No space left"), "{error}");
    }
}
