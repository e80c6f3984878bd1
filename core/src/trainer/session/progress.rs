//! The position of a run, and the sums that its result reports.

use crate::trainer::training::EpochSums;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Position and sums. Together with the parts of a session, it determines how a run continues.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionProgress {
    /// The current epoch, from 0.
    pub epoch: usize,
    /// The phase of the current epoch.
    pub phase: EpochPhase,
    /// Sums over the steps of the current epoch.
    pub sums: EpochSums,
    /// Epochs whose training is complete.
    pub trained_epochs: usize,
    /// Mean training loss of the latest of them.
    pub train_loss: Option<f64>,
    /// Seconds of training.
    pub train_s: f64,
    /// Seconds of the run until [`count_time`](Self::count_time).
    pub wall_s: f64,
    /// The time until which `wall_s` is counted; none before the run.
    #[serde(skip)]
    counted_until: Option<Instant>,
}

impl SessionProgress {
    /// Starts to count the time of the run, in this process.
    pub fn start_clock(&mut self) {
        self.counted_until = Some(Instant::now());
    }

    /// Adds the time since the previous call to the time of the run. Saved state has the time until then.
    pub fn count_time(&mut self) {
        let now = Instant::now();
        let before = self.counted_until.replace(now);
        self.wall_s += before.map_or(0.0, |before| (now - before).as_secs_f64());
    }

    /// Adds seconds of training.
    pub fn add_training(&mut self, seconds: f64) {
        self.train_s += seconds;
        self.sums.seconds += seconds;
    }
}

/// The phases of an epoch, in order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EpochPhase {
    /// Training of the shared weights.
    #[default]
    Training,
    /// Evaluation of the probe architectures.
    Probes,
    /// Training of the controller.
    Controller(ControllerProgress),
}

/// Position within one epoch of controller training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ControllerProgress {
    /// Rewarded samples.
    pub samples: usize,
    /// Sum of their rewards.
    pub rewards: f64,
}
