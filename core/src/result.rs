//! The figures of a finished run, as one JSON object.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a run found and measured. Accuracies in percent; what does not apply is `None`, never missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Always `result`.
    pub r#type: String,
    /// Version of this structure.
    pub schema: u32,
    /// Strategy.
    pub strategy: String,
    /// Controller.
    pub controller: String,
    /// Search space.
    pub space: String,
    /// Data set.
    pub data: String,
    /// Seed.
    pub seed: u64,
    /// Device.
    pub device: String,
    /// Worker threads.
    pub threads: usize,
    /// Whether the run was stopped before its end.
    pub interrupted: bool,
    /// Epochs done.
    pub epochs: usize,
    /// Optimizer steps done.
    pub steps: u64,
    /// Forward and backward passes of one architecture on one batch.
    pub subnet_passes: u64,
    /// Images that these passes saw.
    pub images: u64,
    /// Validation images on which architectures were evaluated.
    pub eval_images: usize,
    /// Seconds of the whole run.
    pub wall_s: f64,
    /// Seconds of training the shared weights.
    pub train_s: f64,
    /// `images / train_s`.
    pub images_per_s: Option<f64>,
    /// Largest resident memory of the process in MiB, where the system tells.
    pub peak_rss_mb: Option<f64>,
    /// The architecture found.
    pub best: Option<Best>,
    /// Mean training loss of the last epoch.
    pub train_loss: Option<f64>,
    /// The probes.
    pub probes: Option<Probes>,
    /// Comparison with the truth.
    pub truth: Option<Truth>,
    /// Updates per choice.
    pub fairness: Option<Fairness>,
    /// Last telemetry of strategy and controller, without values that are no numbers.
    pub telemetry: BTreeMap<String, f64>,
}

/// The architecture found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Its text.
    pub arch: String,
    /// Accuracy with shared weights.
    pub valid_accuracy: f64,
    /// Stand-alone parameters at the run's scale.
    pub params: u64,
    /// Multiply-adds for one image at the run's scale.
    pub macs: u64,
    /// Accuracy by the truth table.
    pub truth: Option<f64>,
}

/// Fixed random architectures over the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probes {
    /// How many.
    pub n: usize,
    /// Mean accuracy after the last epoch.
    pub mean_accuracy: Option<f64>,
    /// Mean absolute change of accuracy over the interval.
    pub disturbance: Option<Disturbance>,
    /// Rank correlation of the probes with themselves over the interval.
    pub kendall_tau: Option<IntervalTau>,
    /// Change of the previous architecture by one step on another.
    pub immediate: Option<Immediate>,
    /// The same by the number of layers that the two architectures share.
    pub shared_layers: Vec<SharedLayers>,
    /// Change of an architecture from right after its own update to the end of the epoch.
    pub forgetting: Option<Forgetting>,
}

/// Interval disturbance in percentage points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disturbance {
    /// Epochs between the two accuracies.
    pub interval: usize,
    /// Mean over the whole run.
    pub mean: f64,
    /// Mean over the second half.
    pub second_half: Option<f64>,
}

/// Rank stability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IntervalTau {
    /// Epochs between the two rankings.
    pub interval: usize,
    /// Mean over the run.
    pub mean: f64,
}

/// Mean signed changes across one step on another architecture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Immediate {
    /// Of accuracy, in percentage points.
    pub accuracy: f64,
    /// Of cross-entropy.
    pub loss: f64,
    /// Mean absolute change of cross-entropy.
    pub abs_loss: f64,
    /// Steps measured.
    pub n: u64,
}

/// Immediate disturbance between architectures that share so many layers, not counting those that all have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SharedLayers {
    /// Layers in both.
    pub layers: usize,
    /// Steps measured.
    pub n: u64,
    /// Mean change of accuracy, in percentage points.
    pub accuracy: f64,
    /// Mean change of cross-entropy.
    pub loss: f64,
    /// Mean absolute change of cross-entropy.
    pub abs_loss: f64,
}

/// Forgetting within an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forgetting {
    /// Mean change of accuracy, in percentage points; negative is forgetting.
    pub accuracy: f64,
    /// Architectures measured.
    pub n: u64,
}

/// Agreement of the ranking by shared weights with a truth table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// The table.
    pub table: String,
    /// Hash of its bytes.
    pub sha256: String,
    /// Architectures compared.
    pub n: usize,
    /// Kendall tau-b.
    pub tau: Option<f64>,
    /// Lower end of its 95% interval; of ten architectures or more.
    pub lo: Option<f64>,
    /// Upper end.
    pub hi: Option<f64>,
    /// Spearman correlation.
    pub spearman: Option<f64>,
    /// Tau among the true best 10%, where those are at least ten.
    pub tau_top10: Option<f64>,
    /// How many those are.
    pub n_top10: usize,
    /// Tau among the true best 50%, where those are at least ten.
    pub tau_top50: Option<f64>,
    /// How many those are.
    pub n_top50: usize,
    /// Share of the predicted best 5% that is among the true best 5%.
    pub p_at_5: Option<f64>,
    /// True accuracy of the space's best minus that of the predicted best.
    pub regret: Option<f64>,
    /// Tau of predictors that need no training, on the same architectures.
    pub baselines: Baselines,
}

/// Predictors that need no training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baselines {
    /// Number of parameters.
    pub params: Option<f64>,
    /// Multiply-adds.
    pub macs: Option<f64>,
}

/// Weight updates per choice of each decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fairness {
    /// Fewest.
    pub min: u64,
    /// Most.
    pub max: u64,
    /// Mean.
    pub mean: f64,
    /// Of every choice of every decision.
    #[serde(default)]
    pub counts: Vec<Vec<u64>>,
}

/// Architectures trained one after another. Accuracies in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SequenceResult {
    /// Always `disturbance`.
    pub r#type: String,
    /// Version of this structure.
    pub schema: u32,
    /// Strategy.
    pub strategy: String,
    /// Search space.
    pub space: String,
    /// Data set.
    pub data: String,
    /// Seed.
    pub seed: u64,
    /// Whether the sequence was stopped before its end.
    pub interrupted: bool,
    /// Architectures trained.
    pub sequence: usize,
    /// Epochs for each.
    pub epochs_each: usize,
    /// Mean accuracy of each architecture right after its own training.
    pub own: Option<f64>,
    /// Mean accuracy of all after the last training.
    pub r#final: Option<f64>,
    /// Mean of own minus final accuracy, over all architectures but the last.
    pub drop: Option<f64>,
    /// Mean change of an earlier architecture by the training of a later one.
    pub change_per_task: Option<f64>,
    /// The architectures, in order.
    pub archs: Vec<String>,
    /// Row i, column j: accuracy of architecture i after the training of j; null for j < i.
    pub matrix: Vec<Vec<Option<f64>>>,
    /// Every change of an earlier architecture, with the number of layers it shares with the one trained.
    pub steps: Vec<SequenceStep>,
    /// Last telemetry of the strategy, without values that are no numbers.
    pub telemetry: BTreeMap<String, f64>,
}

/// What the training of one architecture did to an earlier one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SequenceStep {
    /// Position of the architecture trained.
    pub trained: usize,
    /// Position of the earlier one.
    pub earlier: usize,
    /// Layers in both, not counting those that all architectures have.
    pub shared: usize,
    /// Change of the earlier one's accuracy, in percentage points.
    pub change: f64,
}
