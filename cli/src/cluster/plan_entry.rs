//! The content of a plan: its header, and one entry for each run.

use crate::data::DataIdentity;
use crate::run_kind::RunKind;
use crate::settings::with_absolute_paths;
use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use toml::Table;

/// The format of a plan.
pub const FORMAT: u32 = 1;

/// The first line of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanHeader {
    /// The format of the file.
    pub(super) plan: u32,
    /// The version of the program. Tasks of another version refuse the plan.
    pub version: String,
    /// The command that made the plan; `cluster merge` executes it again.
    pub argv: Vec<String>,
    /// The working directory of that command.
    pub cwd: PathBuf,
    /// Number of runs.
    pub runs: usize,
    /// The identity of the data set.
    pub data: DataIdentity,
}

impl PlanHeader {
    /// The header of a plan of this command.
    ///
    /// # Errors
    /// The working directory does not exist.
    pub fn of_this_command(runs: usize, data: &DataIdentity) -> Result<Self> {
        Ok(Self {
            plan: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            argv: std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect(),
            cwd: std::env::current_dir().context("the working directory does not exist")?,
            runs,
            data: data.clone(),
        })
    }

    /// The first difference to another plan with which its runs cannot continue, as text.
    pub fn difference(&self, new: &Self) -> Option<String> {
        if self.version != new.version {
            return Some(format!("version of nas-train ({}, now {})", self.version, new.version));
        }
        (self.data != new.data).then(|| format!("data set ({}, now {})", self.data, new.data))
    }
}

/// What a run of a plan makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannedWork {
    /// A run directory of this kind.
    Directory(RunKind),
    /// The row of a truth table, by the stand-alone training of this architecture.
    Row(String),
}

/// A run of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanEntry {
    /// Path of the run directory below the output directory.
    pub name: String,
    /// The label of its variant, for messages.
    pub label: String,
    /// The seed.
    pub seed: u64,
    /// What it makes.
    pub work: PlannedWork,
    /// SHA-256 of the truth table; none if the run is not compared with one.
    pub truth: Option<String>,
    /// The configuration.
    pub config: Table,
}

impl PlanEntry {
    /// The plan of a run with this configuration. The paths of its data and of its truth table become absolute.
    ///
    /// # Errors
    /// A configuration that cannot be written.
    pub fn new(
        name: String,
        label: String,
        work: PlannedWork,
        truth: Option<String>,
        config: &RunConfig,
    ) -> Result<Self> {
        let seed = config.seed;
        let config = with_absolute_paths(config)?.to_table()?;
        Ok(Self { name, label, seed, work, truth, config })
    }
}
