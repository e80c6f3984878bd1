//! The result of `nas-train disturbance`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Result of training architectures one after another with shared weights. Accuracies are in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SequenceResult {
    /// Always `disturbance`.
    pub r#type: String,
    /// [`SCHEMA`](super::SCHEMA) of the program that wrote the result.
    pub schema: u32,
    /// Name of the sharing strategy.
    pub strategy: String,
    /// Name of the search space.
    pub space: String,
    /// Name of the data set.
    pub data: String,
    /// Seed of all random streams of the sequence.
    pub seed: u64,
    /// Whether the sequence was stopped before its end.
    pub interrupted: bool,
    /// Number of architectures trained.
    pub sequence: usize,
    /// Number of epochs for each architecture.
    pub epochs_each: usize,
    /// Mean accuracy of each architecture right after its own training.
    pub own: Option<f64>,
    /// Mean accuracy of all architectures after the last training.
    pub r#final: Option<f64>,
    /// Mean of own minus final accuracy over all architectures but the last, in percentage points.
    pub drop: Option<f64>,
    /// Mean change of an earlier architecture by the training of one later architecture, in percentage points.
    pub change_per_task: Option<f64>,
    /// Architectures in the order of training.
    pub archs: Vec<String>,
    /// Accuracies: row `i`, column `j` is architecture `i` after the training of architecture `j`; null for `j < i`.
    pub matrix: Vec<Vec<Option<f64>>>,
    /// Changes of all earlier architectures by each training.
    pub steps: Vec<AccuracyChange>,
    /// Last telemetry of the strategy, without values that are not finite.
    pub telemetry: BTreeMap<String, f64>,
}

/// Change of one earlier architecture by the training of a later one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccuracyChange {
    /// Position of the trained architecture in the sequence, from 0.
    pub trained: usize,
    /// Position of the earlier architecture, from 0.
    pub earlier: usize,
    /// Number of common layers, without the layers that belong to every architecture of the space.
    pub shared: usize,
    /// Change of the earlier architecture's accuracy, in percentage points.
    pub change: f64,
}
