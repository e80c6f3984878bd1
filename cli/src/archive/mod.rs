//! Run directories read back.

mod incomplete;
mod rows;

pub use incomplete::Incomplete;
pub use rows::{ArchRow, MetricRow};

use anyhow::{Context, Result, anyhow};
use nas_core::config::RunConfig;
use nas_core::result::{RunResult, SequenceResult};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The version of manifests and results that this program writes and reads.
pub const SCHEMA: u64 = nas_core::result::SCHEMA as u64;

/// A finished run.
#[derive(Debug, Clone)]
pub struct ArchivedRun {
    /// Its directory.
    pub path: PathBuf,
    /// Its configuration.
    pub config: RunConfig,
    /// `manifest.json`
    pub manifest: Value,
    /// `result.json`
    pub result: RunResult,
    /// `metrics.csv`
    pub metrics: Vec<MetricRow>,
    /// `archs.csv`
    pub archs: Vec<ArchRow>,
    /// Notes and warnings of the log.
    pub notes: Vec<String>,
}

/// A finished sequence of architectures trained one after another.
#[derive(Debug, Clone)]
pub struct ArchivedSequence {
    /// Its directory.
    pub path: PathBuf,
    /// `result.json`
    pub result: SequenceResult,
}

/// What a directory holds.
#[derive(Debug, Clone)]
pub enum Archived {
    /// A run.
    Run(Box<ArchivedRun>),
    /// A sequence.
    Sequence(Box<ArchivedSequence>),
}

impl Archived {
    /// Reads a directory.
    ///
    /// # Errors
    /// A directory of something else, of a run that has not come to its end, of another version, or with files that
    /// are damaged; in words that say which.
    pub fn read(path: &Path) -> Result<Self> {
        let manifest = finished(path)?;
        let result: Value = json(&path.join("result.json"))?;
        check_schema(&result, "result.json")?;
        if result["type"] == "disturbance" {
            let result = typed(result)?;
            return Ok(Self::Sequence(Box::new(ArchivedSequence { path: path.into(), result })));
        }
        let run = ArchivedRun {
            path: path.into(),
            config: config(path)?,
            manifest,
            result: typed(result)?,
            metrics: rows::read(&path.join("metrics.csv"))?,
            archs: rows::read(&path.join("archs.csv"))?,
            notes: notes(path),
        };
        run.check_whole()?;
        Ok(Self::Run(Box::new(run)))
    }
}

impl ArchivedRun {
    /// The architectures compared with the truth, each with its true accuracy in percent.
    pub fn compared(&self) -> impl Iterator<Item = (&ArchRow, f64)> {
        self.archs.iter().filter(|row| row.purpose == "truth").filter_map(|row| Some((row, row.truth?)))
    }

    /// Whether the tables hold all rows that the result speaks of.
    fn check_whole(&self) -> Result<(), Incomplete> {
        let step = self.metrics.last().map_or(0, |row| row.step);
        if step != self.result.steps {
            let problem = format!("it ends at step {step} of {}", self.result.steps);
            return Err(Incomplete::Torn { file: "metrics.csv".into(), problem });
        }
        let compared = self.compared().count();
        let expected = self.result.truth.as_ref().map_or(0, |truth| truth.n);
        if compared != expected {
            let problem = format!("it compares {compared} architectures with the truth, the result {expected}");
            return Err(Incomplete::Torn { file: "archs.csv".into(), problem });
        }
        Ok(())
    }
}

/// The manifest of a directory whose run has come to its end.
///
/// # Errors
/// No manifest, one of another version, a run that has not ended or failed.
pub fn finished(path: &Path) -> Result<Value> {
    let file = path.join("manifest.json");
    if !file.try_exists().context("manifest.json cannot be read")? {
        return Err(Incomplete::NoManifest { hint: hint(path) }.into());
    }
    let manifest: Value = json(&file)?;
    check_schema(&manifest, "manifest.json")?;
    match manifest["status"].as_str() {
        Some("finished") => Ok(manifest),
        Some("failed") => {
            Err(Incomplete::Failed(manifest["error"].as_str().unwrap_or("no reason given").to_owned()).into())
        }
        Some(status) => Err(Incomplete::Unfinished(status.to_owned()).into()),
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
    let (file, text) = text(path)?;
    serde_json::from_str(&text).map_err(|error| Incomplete::Torn { file, problem: error.to_string() }.into())
}

/// The name of a file and what is in it.
fn text(path: &Path) -> Result<(String, String)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Incomplete::Missing(name).into()),
        text => {
            let text = text.with_context(|| format!("{name} cannot be read"))?;
            Ok((name, text))
        }
    }
}

/// Where the runs are that a directory without a manifest may have been given for.
fn hint(path: &Path) -> String {
    let manifest = |dir: PathBuf| {
        fs::read_dir(dir).into_iter().flatten().flatten().find(|e| e.path().join("manifest.json").is_file())
    };
    match manifest(path.join("runs")).or_else(|| manifest(path.into())) {
        Some(run) => format!("; there is one in it: {}", run.path().display()),
        None => String::new(),
    }
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).context("result.json is not of this version of the program")
}

/// What the log tells; a log that cannot be read tells nothing.
fn notes(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path.join("log.jsonl")).unwrap_or_default();
    let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    entries.filter_map(|entry| entry["message"].as_str().map(Into::into)).collect()
}
