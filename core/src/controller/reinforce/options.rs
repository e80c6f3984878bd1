//! The options of `reinforce`, their defaults and where these come from.

use super::policy::Sharpness;
use crate::controller::{ControllerError, check};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sources in brackets: [ENAS] Pham et al. 2018, [CNAS] the public code of Guo et al. 2020, by the group that wrote
/// DINAS. The paper's own numbers are lost in its text; what has no source is this project's choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Options {
    /// Width of the LSTM and of the embeddings. 64 [ENAS].
    pub(super) hidden: usize,
    /// Learning rate of Adam. 3e-4 [CNAS], which needs about 1000 samples to settle on the best of nine architectures.
    /// 0.0035 in ENAS, which needs 300 but in one of three runs settled on a lesser one.
    pub(super) lr: f64,
    /// L2 penalty, added to the gradient before Adam's averages. 5e-4 [CNAS].
    pub(super) weight_decay: f64,
    /// Largest 2-norm of the gradient of an update. 5.
    pub(super) clip: f64,
    /// What logits are divided by; 1 leaves them alone.
    pub(super) temperature: f64,
    /// Largest size of a logit, as `tanh * tanh(logit)`; 0 leaves them alone. 1.1 in the micro space of ENAS.
    pub(super) tanh: f64,
    /// Weight of the sample's entropy (in nats) in the reward. 0.005 [CNAS].
    pub(super) entropy_weight: f64,
    /// Decay of the average reward. 0.99 [ENAS].
    pub(super) baseline_decay: f64,
    /// Architectures to score in each epoch of the controller phase.
    pub(super) samples: usize,
    /// Observations whose gradients are averaged for one update. A score costs far more than an update, so the default
    /// learns from each at once and leaves the averaging to Adam's moments: at the default rate, batches of 10 had not
    /// moved from uniform after 2000 samples.
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
    /// Refuses values that make no policy.
    pub(super) fn validate(&self) -> Result<(), ControllerError> {
        check("hidden", self.hidden, "1 to 4096", (1..=4096).contains(&self.hidden))?;
        check("samples", self.samples, "at least 1", self.samples > 0)?;
        check("batch", self.batch, "at least 1", self.batch > 0)?;
        for (option, value) in [("lr", self.lr), ("clip", self.clip), ("temperature", self.temperature)] {
            check(option, value, "a finite number above 0", value.is_finite() && value > 0.0)?;
        }
        let weights =
            [("weight-decay", self.weight_decay), ("tanh", self.tanh), ("entropy-weight", self.entropy_weight)];
        for (option, value) in weights {
            check(option, value, "a finite number of at least 0", value.is_finite() && value >= 0.0)?;
        }
        let decay = self.baseline_decay;
        check("baseline-decay", decay, "at least 0 and below 1", (0.0..1.0).contains(&decay))
    }

    /// How logits become probabilities.
    pub(super) fn sharpness(&self) -> Sharpness {
        Sharpness { temperature: self.temperature, tanh: self.tanh }
    }
}
