//! A CSV file that is written row by row.

use super::log::named;
use anyhow::{Context, Result};
use csv::{Writer, WriterBuilder};
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

/// A CSV file. [`row`](Self::row) passes each row to the operating system before it returns.
pub struct CsvFile<W: Write = File> {
    path: PathBuf,
    writer: Writer<W>,
}

impl CsvFile {
    /// Creates a file with this header.
    ///
    /// # Errors
    /// The file exists or cannot be written.
    pub fn create(path: PathBuf, header: &[&str]) -> Result<Self> {
        let failed = || format!("cannot write {}", path.display());
        let file = File::create_new(&path).with_context(failed)?;
        let mut csv = Self::on(path, file);
        csv.row(header)?;
        Ok(csv)
    }

    /// Waits until all rows are on the disk.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn sync(&self) -> io::Result<()> {
        self.writer.get_ref().sync_all().map_err(|error| named(&self.path, &error))
    }
}

impl<W: Write> CsvFile<W> {
    fn on(path: PathBuf, writer: W) -> Self {
        Self { path, writer: WriterBuilder::new().from_writer(writer) }
    }

    /// Appends a row.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn row(&mut self, fields: &[&str]) -> io::Result<()> {
        let written = self.writer.write_record(fields).map_err(io::Error::from).and_then(|()| self.writer.flush());
        written.map_err(|error| named(&self.path, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_needed() {
        let mut csv = CsvFile::on("memory".into(), Vec::new());
        csv.row(&["a,b", "|c~0|"]).unwrap();
        assert_eq!(csv.writer.into_inner().unwrap(), b"\"a,b\",|c~0|\n");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_error_of_a_full_disk_names_the_file() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let error = CsvFile::on("runs/a/metrics.csv".into(), full).row(&["1"]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().starts_with("runs/a/metrics.csv: No space left"), "{error}");
    }
}
