//! How the gradients of several architectures become one update.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the gradients of the paths of one step become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reduce {
    /// Their mean: the step is as long as that of one path.
    Mean,
    /// Their sum: acts like a learning rate `paths` times larger.
    Sum,
}

impl Reduce {
    /// The loss weight of each of `paths` paths, whose gradients the loop sums.
    pub(crate) fn weight(self, paths: usize) -> f32 {
        match self {
            Self::Mean => 1.0 / paths as f32,
            Self::Sum => 1.0,
        }
    }
}
