//! Figures of the probe architectures over a run.

use serde::{Deserialize, Serialize};

/// Figures of the probe architectures: fixed random architectures that are evaluated after every epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probes {
    /// Number of probe architectures.
    pub n: usize,
    /// Mean shared-weight accuracy after the last epoch, in percent.
    pub mean_accuracy: Option<f64>,
    /// Performance disturbance; `None` for runs shorter than its interval.
    pub disturbance: Option<Disturbance>,
    /// Rank stability; `None` for runs shorter than its interval.
    pub rank_stability: Option<RankStability>,
    /// Single-step disturbance; `None` where it was not measured.
    pub single_step_disturbance: Option<SingleStepDisturbance>,
    /// Single-step disturbance by the number of layers that the two architectures share, ascending.
    pub by_shared_layers: Vec<DisturbanceBySharedLayers>,
    /// Forgetting within an epoch; `None` where it was not measured.
    pub forgetting: Option<Forgetting>,
}

/// Performance disturbance: mean absolute change of the probes' accuracies over an interval, in percentage points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disturbance {
    /// Number of epochs between the two accuracies.
    pub interval: usize,
    /// Mean over all pairs of epochs of the run.
    pub mean: f64,
    /// Mean over the pairs whose epochs both lie in the second half of the run.
    pub second_half: Option<f64>,
}

/// Kendall's tau-b between the rankings of the probes an interval apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankStability {
    /// Number of epochs between the two rankings.
    pub interval: usize,
    /// Mean over all pairs of epochs of the run.
    pub mean: f64,
}

/// Mean changes of the previously trained architecture across one step on other architectures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SingleStepDisturbance {
    /// Mean change of accuracy, in percentage points.
    pub accuracy: f64,
    /// Mean change of the loss, in nats.
    pub loss: f64,
    /// Mean absolute change of the loss, in nats.
    pub abs_loss: f64,
    /// Number of measured steps.
    pub n: u64,
}

/// Single-step disturbance of architectures that have a given number of layers in common with the trained ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DisturbanceBySharedLayers {
    /// Number of common layers, without the layers that belong to every architecture of the space.
    pub layers: usize,
    /// Number of measured steps.
    pub n: u64,
    /// Mean change of accuracy, in percentage points.
    pub accuracy: f64,
    /// Mean change of the loss, in nats.
    pub loss: f64,
    /// Mean absolute change of the loss, in nats.
    pub abs_loss: f64,
}

/// Change of an architecture from its own update to the end of the epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forgetting {
    /// Mean change of accuracy, in percentage points; negative values mean forgetting.
    pub accuracy: f64,
    /// Number of measured architectures.
    pub n: u64,
}
