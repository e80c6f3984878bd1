//! Run directories read back.

mod rows;

pub use rows::ArchRow;

use anyhow::{Context, Result, anyhow, ensure};
use nas_core::config::RunConfig;
use nas_core::result::{RunResult, SequenceResult};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The version of manifests and results that this program writes and reads.
pub const SCHEMA: u64 = 1;

/// A finished run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    /// Its directory.
    pub path: PathBuf,
    /// `result.json`
    pub result: RunResult,
    /// `archs.csv`
    pub archs: Vec<ArchRow>,
}

/// What a directory holds.
#[derive(Debug, Clone)]
pub enum Folder {
    /// A run.
    Run(Box<RunFolder>),
    /// A sequence.
    Sequence,
}

impl Folder {
    /// Reads a directory.
    ///
    /// # Errors
    /// A directory of something else, of a run that has not come to its end, of another version, or with files that
    /// are damaged; in words that say which.
    pub fn read(path: &Path) -> Result<Self> {
        finished(path)?;
        let result: Value = json(&path.join("result.json"))?;
        check_schema(&result, "result.json")?;
        if result["type"] == "disturbance" {
            return typed::<SequenceResult>(result).map(|_| Self::Sequence);
        }
        Ok(Self::Run(Box::new(RunFolder {
            path: path.into(),
            result: typed(result)?,
            archs: rows::read(&path.join("archs.csv"))?,
        })))
    }
}

/// The manifest of a directory whose run has come to its end.
///
/// # Errors
/// No manifest, one of another version, a run that has not ended or failed.
pub fn finished(path: &Path) -> Result<Value> {
    let file = path.join("manifest.json");
    ensure!(file.is_file(), "no run directory: it has no manifest.json");
    let manifest: Value = json(&file)?;
    check_schema(&manifest, "manifest.json")?;
    match manifest["status"].as_str() {
        Some("finished") => Ok(manifest),
        Some("failed") => Err(anyhow!("the run failed: {}", manifest["error"].as_str().unwrap_or("no reason given"))),
        Some(status) => Err(anyhow!("the run is unfinished (status {status})")),
        None => Err(anyhow!("manifest.json has no status")),
    }
}

/// The configuration that a run was made with.
///
/// # Errors
/// A file that is missing or damaged.
pub fn config(path: &Path) -> Result<RunConfig> {
    let file = path.join("config.toml");
    let text = fs::read_to_string(&file).context("config.toml cannot be read")?;
    let table = text.parse().context("config.toml is not TOML")?;
    RunConfig::from_table(&table).context("config.toml is not a configuration of this version")
}

fn check_schema(value: &Value, file: &str) -> Result<()> {
    match value["schema"].as_u64() {
        Some(SCHEMA) => Ok(()),
        Some(other) => Err(anyhow!("{file} has schema {other}, this program reads {SCHEMA}: make the run again")),
        None => Err(anyhow!("{file} has no schema number, so it is not of this program")),
    }
}

fn json(path: &Path) -> Result<Value> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = fs::read_to_string(path).with_context(|| format!("{name} cannot be read"))?;
    serde_json::from_str(&text).with_context(|| format!("{name} is damaged"))
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).context("result.json is damaged")
}
