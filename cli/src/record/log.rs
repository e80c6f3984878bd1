//! `log.jsonl`: the notes and warnings of a run, one JSON object per line.

use anyhow::{Context, Result};
use serde_json::json;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file `log.jsonl`.
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Creates an empty log.
    ///
    /// # Errors
    /// The file exists or cannot be written.
    pub fn create(path: PathBuf) -> Result<Self> {
        let file = File::create_new(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, file })
    }

    /// Appends a line; `level` is `note` or `warning`, `step` the number of finished steps.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn line(&mut self, level: &str, step: u64, message: &str) -> io::Result<()> {
        let time = jiff::Timestamp::now().to_string();
        let line = json!({"time": time, "level": level, "step": step, "message": message}).to_string() + "\n";
        self.file.write_all(line.as_bytes()).map_err(|error| named(&self.path, &error))
    }
}

/// The error with the path of the file in its message.
pub fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
