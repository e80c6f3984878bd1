//! Reading finished runs and sequences from their directories.

mod content;
mod digests;
mod incomplete;
mod not_a_run;
mod packed;
mod rows;
mod schema;

pub use incomplete::Incomplete;
pub use packed::{ARCHIVE, contains, is_packed, pack};
pub use rows::{ArchRow, MetricRow};
pub use schema::check_schema;

use anyhow::{Context, Result, anyhow};
pub use content::{config, config_table, packed_bytes};
use content::{json, notes, parse_result, text};
use nas_core::config::RunConfig;
use nas_core::result::{RunResult, SequenceResult, StandAloneResult};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A finished run with the contents of its files.
#[derive(Debug, Clone)]
pub struct ArchivedRun {
    /// The run directory.
    pub path: PathBuf,
    /// The configuration from `config.toml`.
    pub config: RunConfig,
    /// `manifest.json`: program version, command line, host and status.
    pub manifest: Value,
    /// `result.json`: the figures.
    pub result: RunResult,
    /// The rows of `metrics.csv`, by ascending step.
    pub metrics: Vec<MetricRow>,
    /// The rows of `archs.csv`, in the order of evaluation.
    pub archs: Vec<ArchRow>,
    /// The messages of `log.jsonl`, notes and warnings.
    pub notes: Vec<String>,
}

/// A finished sequence: architectures trained one after another with shared weights.
#[derive(Debug, Clone)]
pub struct ArchivedSequence {
    /// The run directory.
    pub path: PathBuf,
    /// The configuration from `config.toml`.
    pub config: RunConfig,
    /// `manifest.json`: program version, command line, host and status.
    pub manifest: Value,
    /// `result.json`: the disturbance matrix and its means.
    pub result: SequenceResult,
}

/// A finished stand-alone training.
#[derive(Debug, Clone)]
pub struct ArchivedRetrain {
    /// The run directory.
    pub path: PathBuf,
    /// The configuration from `config.toml`.
    pub config: RunConfig,
    /// `manifest.json`: program version, command line, host and status.
    pub manifest: Value,
    /// `result.json`: accuracies and costs.
    pub result: StandAloneResult,
    /// The rows of `metrics.csv`, by ascending step.
    pub metrics: Vec<MetricRow>,
}

/// The content of a run directory.
#[derive(Debug, Clone)]
pub enum Archived {
    /// A training run of a supernet.
    Run(Box<ArchivedRun>),
    /// A sequence of `nas-train disturbance` or of a comparison.
    Sequence(Box<ArchivedSequence>),
    /// A stand-alone training of `nas-train retrain`.
    Retrain(Box<ArchivedRetrain>),
}

impl Archived {
    /// Reads a run directory.
    ///
    /// # Errors
    /// The directory is not that of a run, the run is unfinished or failed, its files are damaged, or they have another
    /// schema version. The message states the reason, without the directory.
    pub fn read(path: &Path) -> Result<Self> {
        let manifest = finished(path)?;
        match Self::parse(path, &manifest) {
            // The message has the line.
            Err(error) if error.is::<Incomplete>() => Err(error),
            // A file that does not fit this version may be a damaged one.
            parsed => digests::check(path, &manifest).and(parsed),
        }
    }

    /// As [`read`](Self::read), with the directory in the message.
    ///
    /// # Errors
    /// See [`read`](Self::read).
    pub fn read_named(path: &Path) -> Result<Self> {
        Self::read(path).with_context(|| path.display().to_string())
    }

    fn parse(path: &Path, manifest: &Value) -> Result<Self> {
        let text = text(path, "result.json")?;
        let result = json("result.json", &text)?;
        check_schema(&result, "result.json")?;
        let (config, manifest) = (config(path)?, manifest.clone());
        if result["type"] == "disturbance" {
            let result = parse_result(&text)?;
            return Ok(Self::Sequence(Box::new(ArchivedSequence { path: path.into(), config, manifest, result })));
        }
        if result["type"] == "retrain" {
            let (result, metrics) = (parse_result(&text)?, rows::read(path, "metrics.csv")?);
            return Ok(Self::Retrain(Box::new(ArchivedRetrain {
                path: path.into(),
                config,
                manifest,
                result,
                metrics,
            })));
        }
        let run = ArchivedRun {
            path: path.into(),
            config,
            manifest,
            result: parse_result(&text)?,
            metrics: rows::read(path, "metrics.csv")?,
            archs: rows::read(path, "archs.csv")?,
            notes: notes(path),
        };
        run.check_complete()?;
        Ok(Self::Run(Box::new(run)))
    }

    /// The configuration from `config.toml`.
    pub fn config(&self) -> &RunConfig {
        match self {
            Self::Run(run) => &run.config,
            Self::Sequence(sequence) => &sequence.config,
            Self::Retrain(run) => &run.config,
        }
    }

    /// The content of `manifest.json`.
    pub fn manifest(&self) -> &Value {
        match self {
            Self::Run(run) => &run.manifest,
            Self::Sequence(sequence) => &sequence.manifest,
            Self::Retrain(run) => &run.manifest,
        }
    }
}

impl ArchivedRun {
    /// The architectures that are compared with the truth table, each with its stand-alone accuracy in percent.
    pub fn compared(&self) -> impl Iterator<Item = (&ArchRow, f64)> {
        self.archs.iter().filter(|row| row.purpose == "truth").filter_map(|row| Some((row, row.truth?)))
    }

    /// Checks that the CSV files have all rows that the result implies. A copy or a full disk may have cut them short.
    fn check_complete(&self) -> Result<(), Incomplete> {
        let step = self.metrics.last().map_or(0, |row| row.step);
        if step != self.result.steps {
            let problem = format!("it ends at step {step} of {}", self.result.steps);
            return Err(Incomplete::Damaged { file: "metrics.csv".into(), problem });
        }
        let compared = self.compared().count();
        let expected = self.result.truth.as_ref().map_or(0, |truth| truth.n);
        if compared != expected {
            let problem = format!("it has {compared} rows with purpose truth, result.json has {expected}");
            return Err(Incomplete::Damaged { file: "archs.csv".into(), problem });
        }
        Ok(())
    }
}

/// The manifest of a finished run.
///
/// # Errors
/// The directory has no manifest or one of another schema version, or its run failed or is unfinished.
fn finished(path: &Path) -> Result<Value> {
    let manifest = manifest(path)?;
    match manifest["status"].as_str() {
        Some("finished") => Ok(manifest),
        Some("failed") => {
            Err(Incomplete::Failed(manifest["error"].as_str().unwrap_or("no reason given").to_owned()).into())
        }
        Some(status) => Err(Incomplete::Unfinished(status.to_owned()).into()),
        None => Err(anyhow!("manifest.json has no status")),
    }
}

/// Whether a directory has the manifest of a finished run.
pub fn is_finished(path: &Path) -> bool {
    finished(path).is_ok()
}

/// The manifest of a run in any state.
///
/// # Errors
/// The directory has no manifest, or one of another schema version.
pub fn manifest(path: &Path) -> Result<Value> {
    // A file in place of the directory has no manifest either.
    if path.is_file() || !path.join("manifest.json").try_exists().context("manifest.json cannot be read")? {
        return Err(Incomplete::NoManifest { found: not_a_run::description(path) }.into());
    }
    let manifest = json("manifest.json", &text(path, "manifest.json")?)?;
    check_schema(&manifest, "manifest.json")?;
    Ok(manifest)
}

/// The name of the TensorBoard event file of a run in any state; none without a file or without a readable manifest.
pub fn event_file(path: &Path) -> Option<String> {
    let manifest = json("manifest.json", &text(path, "manifest.json").ok()?).ok()?;
    manifest["tensorboard"].as_str().map(Into::into)
}
