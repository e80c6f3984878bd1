//! The figures of an evaluation.

use serde::{Deserialize, Serialize};

/// Loss and accuracy of one architecture on evaluation images: all of them, or the first batch for single-step
/// disturbance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Accuracy, in percent.
    pub accuracy: f64,
}
