//! Combination of the gradients of several architectures into one update.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Combination of the gradients of the paths of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reduce {
    /// The mean. The update is as long as that of one architecture.
    Mean,
    /// The sum. It acts like a learning rate larger by the number of architectures.
    Sum,
}

impl Reduce {
    /// The loss weight of each of `paths` paths. The trainer sums the weighted gradients.
    pub(crate) fn weight(self, paths: usize) -> f32 {
        match self {
            Self::Mean => 1.0 / paths as f32,
            Self::Sum => 1.0,
        }
    }
}
