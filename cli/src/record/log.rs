//! `log.jsonl`: the notes and warnings of a run, one JSON object per line.

use super::check_unused;
use super::run_file::{FileDigest, FilePosition, RunFile};
use anyhow::Result;
use serde_json::json;
use std::io::{self, Write};
use std::path::Path;

/// The file `log.jsonl`.
pub struct Log(RunFile);

impl Log {
    /// Creates an empty log.
    ///
    /// # Errors
    /// The file exists or cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        RunFile::create(path).map(Self)
    }

    /// Opens the log of an earlier process at a position, and locks the run directory `dir`. [`cut`](Self::cut) removes
    /// the lines that follow.
    ///
    /// # Errors
    /// As [`RunFile::open_at`], and another process that writes to the directory.
    pub fn open_locked(dir: &Path, position: &FilePosition) -> Result<Self> {
        check_unused(dir)?;
        let log = Self(RunFile::open_at(&dir.join("log.jsonl"), position)?);
        log.lock(dir)?;
        Ok(log)
    }

    /// As [`RunFile::cut`].
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn cut(&self) -> io::Result<()> {
        self.0.cut()
    }

    /// Locks the log, and with it the run directory, until the process ends.
    ///
    /// # Errors
    /// Another process writes to the directory.
    pub fn lock(&self, dir: &Path) -> Result<()> {
        self.0.lock(dir)
    }

    /// Waits until all lines are on the disk, and returns the length and digest of the file.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn position(&self) -> io::Result<FilePosition> {
        self.0.sync()?;
        Ok(self.0.position(None))
    }

    /// Appends a line; `level` is `note` or `warning`, `step` the number of finished steps.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn line(&mut self, level: &str, step: u64, message: &str) -> io::Result<()> {
        let time = jiff::Timestamp::now().to_string();
        let line = json!({"time": time, "level": level, "step": step, "message": message}).to_string() + "\n";
        self.0.write_all(line.as_bytes())
    }

    /// Waits until all lines are on the disk.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    /// SHA-256 of what was written.
    pub fn digest(&self) -> FileDigest {
        self.0.digest(None)
    }
}
