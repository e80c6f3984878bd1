//! The section `[retrain]`: stand-alone training of one architecture.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The images on which a stand-alone network is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TrainImages {
    /// `all` for a data set with test images, `split` for others.
    Auto,
    /// All training and validation images. The data set must have test images.
    All,
    /// The training images of a supernet with the same seed. The validation images are evaluated if there are no test
    /// images.
    Split,
}

/// `[retrain]`: what `nas-train retrain` adds to `[train]`. The defaults add nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetrainConfig {
    /// Images that train the network: `auto`, `all` or `split`. `auto` is `all` for data sets with test images.
    pub images: TrainImages,
    /// Epochs over which the learning rate rises linearly to its schedule; 0 means no warm-up.
    pub warmup_epochs: usize,
    /// Share of the target probability that is spread evenly over all classes, at least 0 and below 1.
    pub label_smoothing: f64,
    /// Weight of the loss of the auxiliary head, at least 0; 0 means no head.
    pub auxiliary_weight: f64,
    /// Target probability `p` of drop path, at least 0 and below 1. Epoch `e` of `E`, from 0, uses `p e / E`, as in DARTS.
    pub drop_path: f64,
    /// Decay per step of the exponential moving average of the weights, which is then evaluated and saved; at least 0 and
    /// below 1, 0 means no average.
    pub weight_average: f64,
    /// Epochs from one evaluation to the next. The last epoch is always evaluated; 0 means only the last one.
    pub eval_every: usize,
}

impl Default for RetrainConfig {
    fn default() -> Self {
        Self {
            images: TrainImages::Auto,
            warmup_epochs: 0,
            label_smoothing: 0.0,
            auxiliary_weight: 0.0,
            drop_path: 0.0,
            weight_average: 0.0,
            eval_every: 1,
        }
    }
}
