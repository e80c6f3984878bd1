//! The rows of a run's CSV files.

use super::Incomplete;
use anyhow::Result;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// A row of `metrics.csv`: the value of one metric after a step.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct MetricRow {
    /// Number of optimizer steps done.
    pub step: u64,
    /// Epoch, counted from 0.
    pub epoch: usize,
    /// The part of the run: `train`, `eval`, `probe`, `controller` or `strategy`.
    pub split: String,
    /// The metric within the split, for example `mean_accuracy`.
    pub metric: String,
    /// The value in the unit of the metric.
    pub value: f64,
}

/// A row of `archs.csv`: the evaluation of one architecture with shared weights.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ArchRow {
    /// Epoch, counted from 0.
    pub epoch: usize,
    /// The reason for the evaluation: `probe`, `proposal`, `truth` or `sequence`.
    pub purpose: String,
    /// The architecture in the notation of its search space.
    pub arch: String,
    /// Shared-weight accuracy in percent.
    pub accuracy: f64,
    /// Stand-alone accuracy in percent from the truth table; none for probe architectures and if the table lacks it.
    pub truth: Option<f64>,
    /// Stand-alone parameters; none for probe architectures.
    pub params: Option<u64>,
}

/// All rows of a CSV file of a run.
///
/// # Errors
/// The file is missing, incomplete or damaged. The message has its name and the line.
pub fn read<T: DeserializeOwned>(dir: &Path, name: &str) -> Result<Vec<T>> {
    let text = super::content::text(dir, name)?;
    let damaged = |problem: String| Incomplete::Damaged { file: name.into(), problem };
    if !text.ends_with('\n') {
        let problem = format!("its last row, in line {}, has no line end", text.lines().count());
        return Err(damaged(problem).into());
    }
    let rows: Result<Vec<T>, csv::Error> = csv::Reader::from_reader(text.as_bytes()).deserialize().collect();
    rows.map_err(|error| damaged(error.to_string()).into())
}
