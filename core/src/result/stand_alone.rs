//! The result of a stand-alone training.

use serde::{Deserialize, Serialize};

/// Result of training one architecture with weights of its own. Accuracies are in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StandAloneResult {
    /// Always `retrain`.
    pub r#type: String,
    /// [`SCHEMA`](super::SCHEMA) of the program that wrote the result.
    pub schema: u32,
    /// Name of the search space.
    pub space: String,
    /// Architecture in the notation of the search space.
    pub arch: String,
    /// Name of the data set.
    pub data: String,
    /// Seed of all random streams of the training.
    pub seed: u64,
    /// Device that trained the network: `cpu` or `cuda:K`.
    pub device: String,
    /// Number of worker threads.
    pub threads: usize,
    /// Whether the training was stopped before its end.
    pub interrupted: bool,
    /// Number of complete epochs.
    pub epochs: usize,
    /// Number of optimizer updates.
    pub steps: u64,
    /// Number of images on which the network is trained.
    pub train_images: usize,
    /// Images on which the network is evaluated: `test` or `validation`.
    pub evaluated_on: String,
    /// Number of these images.
    pub eval_images: usize,
    /// Number of parameters, without the auxiliary head.
    pub params: u64,
    /// Multiply-adds for one image, without the auxiliary head.
    pub macs: u64,
    /// Mean training loss of the last complete epoch, in nats.
    pub train_loss: Option<f64>,
    /// Accuracies after the last epoch; `None` if the training was stopped before.
    pub last: Option<EvalFigures>,
    /// Accuracies after the epoch with the highest accuracy, among the evaluated ones.
    pub best: Option<EvalFigures>,
    /// Duration of the whole training with its evaluations, in seconds.
    pub wall_s: f64,
    /// Training speed, in images per second.
    pub images_per_s: Option<f64>,
    /// Largest resident memory of the process, in MiB; only on Linux.
    pub peak_rss_mb: Option<f64>,
}

/// Accuracies of a network after an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EvalFigures {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Images whose class has the largest score, in percent (top-1).
    pub accuracy: f64,
    /// Top-5 accuracy: images whose class has one of the five largest scores, in percent.
    pub top5_accuracy: f64,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
}
