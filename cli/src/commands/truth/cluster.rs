//! A truth table whose trainings are made on a cluster. Each finished training is a file with its row.

use super::file::TruthRow;
use crate::cluster::{ClusterDir, PlanEntry, PlannedWork};
use crate::files;
use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use nas_core::sha256;
use serde::{Deserialize, Serialize};
use std::path::Path;
use toml::Table;

/// The largest size of a row's file in bytes.
const LIMIT: u64 = 1 << 20;

/// A row of a truth table that a cluster has trained, in a file of its own.
#[derive(Debug, Serialize, Deserialize)]
pub struct TrainedRow {
    /// The architecture.
    pub arch: String,
    /// The seed of the training.
    pub seed: u64,
    /// The figures.
    #[serde(flatten)]
    pub row: TruthRow,
}

impl TrainedRow {
    /// Reads the file of a training; none if it is not finished.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn read(dir: &ClusterDir, settings: &Table, arch: &str, seed: u64) -> Result<Option<Self>> {
        let path = dir.published(&name(settings, arch, seed));
        let text = match files::shared_text(&path, LIMIT) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let damaged =
            || format!("{} is damaged: remove it, and `nas-train cluster retry` makes it again", path.display());
        serde_json::from_str(&text).map(Some).with_context(damaged)
    }
}

/// The directory of the plan of a table.
///
/// # Errors
/// The working directory does not exist.
pub fn plan_dir(table: &Path) -> Result<ClusterDir> {
    Ok(ClusterDir::of(&std::path::absolute(table.with_extension("cluster"))?))
}

/// The plan of a training.
///
/// # Errors
/// A configuration that cannot be written.
pub fn plan_of(config: &RunConfig, settings: &Table, arch: &str, seed: u64) -> Result<PlanEntry> {
    let work = PlannedWork::Row(arch.into());
    Ok(PlanEntry { seed, ..PlanEntry::new(name(settings, arch, seed), arch.into(), work, None, config)? })
}

/// The file of a training with these settings. Its directory is one of 256, so that none has too many entries.
fn name(settings: &Table, arch: &str, seed: u64) -> String {
    let hash = &sha256::of(format!("{settings}\n{arch}").as_bytes())[..16];
    format!("rows/{}/{hash}-{seed}.json", &hash[..2])
}
