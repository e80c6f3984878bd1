//! Sums over the steps of an epoch.

use super::StepOutcome;
use serde::{Deserialize, Serialize};

/// Sums over the steps of an epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochSums {
    /// Steps of the epoch so far.
    pub steps: usize,
    /// Sum of their losses.
    pub loss: f64,
    /// Sum of their gradient norms before clipping.
    pub gradient_norm: f64,
    /// Learning rate of the latest step.
    pub lr: f64,
    /// Seconds of the epoch's training.
    pub seconds: f64,
}

impl EpochSums {
    /// Adds a step, except for its time.
    pub fn add(&mut self, step: &StepOutcome) {
        self.steps += 1;
        self.loss += step.done.loss;
        self.gradient_norm += step.gradient_norm;
        self.lr = step.lr;
    }

    /// Mean loss of the steps.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.steps.max(1) as f64
    }

    /// Mean norm of the gradients before clipping.
    pub fn mean_gradient_norm(&self) -> f64 {
        self.gradient_norm / self.steps.max(1) as f64
    }
}
