//! The result of a finished run, written to `result.json`.
//!
//! Accuracies are in percent, their differences in percentage points, and losses are mean cross-entropies in nats. A
//! value that does not apply to a run is `None` (`null` in JSON); its key is never missing. The module
//! [`figures`](crate::figures) lists the numbers by which runs are compared, each with its path in this structure.

mod probes;
mod sequence;
mod stand_alone;
mod truth;

pub use probes::{Disturbance, DisturbanceBySharedLayers, Forgetting, Probes, RankStability, SingleStepDisturbance};
pub use sequence::{AccuracyChange, SequenceResult};
pub use stand_alone::{EvalFigures, StandAloneResult};
pub use truth::{Baselines, Truth};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of all JSON files that the program writes (`result.json`, `manifest.json`, `comparison.json`). It increases
/// when a key changes its name or meaning.
pub const SCHEMA: u32 = 2;

/// The result of a training run of a supernet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Always `result`.
    pub r#type: String,
    /// [`SCHEMA`] of the program that wrote the result.
    pub schema: u32,
    /// Name of the sharing strategy.
    pub strategy: String,
    /// Name of the controller.
    pub controller: String,
    /// Name of the search space.
    pub space: String,
    /// Name of the data set.
    pub data: String,
    /// Seed of all random streams of the run.
    pub seed: u64,
    /// Device that trained the supernet: `cpu` or `cuda:K`.
    pub device: String,
    /// Number of worker threads.
    pub threads: usize,
    /// Whether the run was stopped before its end.
    pub interrupted: bool,
    /// Number of complete epochs.
    pub epochs: usize,
    /// Number of optimizer updates.
    pub steps: u64,
    /// Number of forward and backward passes of one architecture on one batch.
    pub subnet_passes: u64,
    /// Number of training images in all sub-net passes; an image counts once for each pass.
    pub images: u64,
    /// Number of validation images on which architectures are evaluated.
    pub eval_images: usize,
    /// Duration of the whole run, in seconds.
    pub wall_s: f64,
    /// Duration of training the shared weights, in seconds.
    pub train_s: f64,
    /// Training speed, `images / train_s`.
    pub images_per_s: Option<f64>,
    /// Largest resident memory of the process, in MiB; only on Linux.
    pub peak_rss_mb: Option<f64>,
    /// Architecture selected after training; `None` if the run was stopped before.
    pub selected: Option<Selected>,
    /// Mean training loss of the last complete epoch.
    pub train_loss: Option<f64>,
    /// Figures of the probe architectures; `None` for runs without probes.
    pub probes: Option<Probes>,
    /// Comparison with the truth table; `None` if there was no table or the run was stopped before.
    pub truth: Option<Truth>,
    /// Sub-net passes per choice; `None` for spaces without a decision to make.
    pub fairness: Option<Fairness>,
    /// Last telemetry of strategy and controller, without values that are not finite.
    pub telemetry: BTreeMap<String, f64>,
}

/// The architecture selected among the controller's proposals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selected {
    /// Architecture in the notation of the search space.
    pub arch: String,
    /// Validation accuracy with shared weights, in percent.
    pub valid_accuracy: f64,
    /// Number of parameters as a stand-alone network at the run's scale.
    pub params: u64,
    /// Multiply-adds for one image at the run's scale.
    pub macs: u64,
    /// Accuracy by the truth table, in percent.
    pub truth: Option<f64>,
}

/// Number of sub-net passes that contained a choice, over all choices of all decisions between at least two operations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fairness {
    /// Smallest number of passes of any choice.
    pub min: u64,
    /// Largest number of passes of any choice.
    pub max: u64,
    /// Mean number of passes over all choices.
    pub mean: f64,
    /// Number of passes of every choice: `counts[decision][choice]`; empty for decisions about topology.
    #[serde(default)]
    pub counts: Vec<Vec<u64>>,
}
