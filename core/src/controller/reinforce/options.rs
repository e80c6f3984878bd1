//! The options of `reinforce`, their defaults and where these come from.

use super::policy::LogitScaling;
use crate::controller::{ControllerError, check};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of `reinforce`. Brackets name the source of a default: [ENAS] Pham et al. 2018; [CNAS] the public code of
/// Guo et al. 2020, by the group that wrote DINAS. The DINAS paper does not report these values. Defaults without a
/// source are this project's choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// Width of the LSTM and of the embeddings, 1 to 4096. 64 [ENAS].
    pub(super) hidden: usize,
    /// Learning rate of Adam. 3e-4 [CNAS]; [ENAS] uses 0.0035.
    pub(super) lr: f64,
    /// L2 penalty that is added to the gradient before Adam's moments. 5e-4 [CNAS].
    pub(super) weight_decay: f64,
    /// Largest 2-norm of the gradient of an update; larger gradients are scaled down to it.
    pub(super) clip: f64,
    /// Divisor of the logits; 1 leaves them unchanged.
    pub(super) temperature: f64,
    /// Bound `c` of the logits, which become `c * tanh(logit / temperature)`; 0 applies no bound. [ENAS] uses 1.1 in
    /// its micro space.
    pub(super) tanh: f64,
    /// Weight of the entropy of a sample, in nats, in its reward. 0.005 [CNAS].
    pub(super) entropy_weight: f64,
    /// Decay of the moving average of rewards, at least 0 and below 1. 0.99 [ENAS].
    pub(super) baseline_decay: f64,
    /// Number of architectures to evaluate in each epoch of controller training.
    pub(super) samples: usize,
    /// Number of observations whose gradients are averaged for one update. Larger batches update less often. An
    /// evaluation costs far more than an update, and Adam's moments average the gradients, so the default updates after
    /// each observation.
    pub(super) batch: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hidden: 64,
            lr: 3e-4,
            weight_decay: 5e-4,
            clip: 5.0,
            temperature: 1.0,
            tanh: 0.0,
            entropy_weight: 0.005,
            baseline_decay: 0.99,
            samples: 100,
            batch: 1,
        }
    }
}

impl Options {
    /// Checks the range of every option.
    pub(super) fn validate(&self) -> Result<(), ControllerError> {
        check("hidden", self.hidden, "1 to 4096", (1..=4096).contains(&self.hidden))?;
        check("samples", self.samples, "at least 1", self.samples > 0)?;
        check("batch", self.batch, "at least 1", self.batch > 0)?;
        for (option, value) in [("lr", self.lr), ("clip", self.clip), ("temperature", self.temperature)] {
            check(option, value, "a finite number above 0", value.is_finite() && value > 0.0)?;
        }
        let weights =
            [("weight_decay", self.weight_decay), ("tanh", self.tanh), ("entropy_weight", self.entropy_weight)];
        for (option, value) in weights {
            check(option, value, "a finite number of at least 0", value.is_finite() && value >= 0.0)?;
        }
        let decay = self.baseline_decay;
        check("baseline_decay", decay, "at least 0 and below 1", (0.0..1.0).contains(&decay))
    }

    /// Scaling of the logits before the softmax.
    pub(super) fn logit_scaling(&self) -> LogitScaling {
        LogitScaling { temperature: self.temperature, tanh: self.tanh }
    }
}
