//! The rows of the CSV files of a run.

use super::Incomplete;
use anyhow::Result;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// A row of `metrics.csv`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct MetricRow {
    /// Steps done.
    pub step: u64,
    /// Epoch, from 0.
    pub epoch: usize,
    /// `train`, `probe`, `controller` or `strategy`.
    pub split: String,
    /// Its name.
    pub metric: String,
    /// Its value.
    pub value: f64,
}

/// A row of `archs.csv`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ArchRow {
    /// Epoch, from 0.
    pub epoch: usize,
    /// `probe`, `proposal` or `truth`.
    pub purpose: String,
    /// The architecture.
    pub arch: String,
    /// Accuracy with shared weights, in percent.
    pub accuracy: f64,
    /// Accuracy by the truth table, in percent.
    pub truth: Option<f64>,
    /// Stand-alone parameters.
    pub params: Option<u64>,
}

/// All rows of a file.
///
/// # Errors
/// A file that is missing, torn or damaged; the message names it and the line.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let (file, text) = super::text(path)?;
    let torn = |problem: String| Incomplete::Torn { file: file.clone(), problem };
    if !text.ends_with('\n') {
        return Err(torn("its last row has no end".into()).into());
    }
    let rows: Result<Vec<T>, csv::Error> = csv::Reader::from_reader(text.as_bytes()).deserialize().collect();
    rows.map_err(|error| torn(error.to_string()).into())
}
