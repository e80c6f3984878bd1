//! The sections of the configuration with their defaults.

use crate::optimizer::LrSchedule;
use crate::options::{OptionsError, option_names, parse_options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use toml::Table;

/// The keys outside sections.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TopLevel {
    /// Seed of all random streams.
    pub(super) seed: u64,
    /// Device: `cpu`, or `cuda:K` for GPU number K, counted from 0.
    pub(super) device: String,
    /// Whether dense convolutions and linear layers on a GPU multiply in TF32 (10 instead of 23 mantissa bits), on
    /// tensor cores. Requires compute capability 8.0 or later.
    pub(super) tf32: bool,
    /// Number of worker threads, at most 1,024; 0 starts one per core. Results do not depend on this number.
    pub(super) threads: usize,
    /// Paths of shared libraries that provide further strategies.
    pub(super) plugins: Vec<String>,
}

impl Default for TopLevel {
    fn default() -> Self {
        Self { seed: 0, device: "cpu".into(), tf32: false, threads: 0, plugins: Vec::new() }
    }
}

/// The keys of `[space]` that every space has.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SpaceKeys {
    /// Name of the search space; `nas-train list spaces` shows all.
    name: String,
    /// Base number of channels: those after the stem in most spaces, of a node of the first cells in `darts`, and a
    /// scale of all channels in `fairnas` (32 is the size of the paper); 0 means the default of the space.
    width: usize,
    /// Number of cells, per stage or in total as the space defines it; 0 means the default of the space.
    cells: usize,
}

impl Default for SpaceKeys {
    fn default() -> Self {
        Self { name: "nasbench201".into(), width: 0, cells: 0 }
    }
}

/// `[space]`: the search space, its scale and its options.
#[derive(Debug, Clone, PartialEq)]
pub struct SpaceConfig {
    /// Name of the search space.
    pub name: String,
    /// [`Scale::width`](crate::space::Scale::width); 0 means the default of the space.
    pub width: usize,
    /// Number of cells; 0 means the default of the space. Some spaces have a fixed number.
    pub cells: usize,
    /// Options of the space. They are checked when it is built.
    pub options: Table,
}

impl SpaceConfig {
    /// Reads the section. Keys that not every space has are options of the space.
    pub(super) fn parse(section: &Table) -> Result<Self, OptionsError> {
        let known = option_names::<SpaceKeys>();
        let (keys, options): (Table, Table) = section.clone().into_iter().partition(|(key, _)| known.contains(key));
        let SpaceKeys { name, width, cells } = parse_options("space", &keys)?;
        Ok(Self { name, width, cells, options })
    }

    /// The section that [`parse`](Self::parse) reads.
    pub(super) fn to_table(&self) -> Result<Table, toml::ser::Error> {
        let Self { name, width, cells, options } = self.clone();
        let mut table = Table::try_from(SpaceKeys { name, width, cells })?;
        table.extend(options);
        Ok(table)
    }
}

/// `[train]`: training by SGD, of the shared weights and of stand-alone networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Number of passes over the training images.
    pub epochs: usize,
    /// Run directory with the initial weights. Its network must be the same. Without it, the initial weights are
    /// random. For supernets only.
    pub init: Option<PathBuf>,
    /// Number of steps after which training ends, even within an epoch; 0 means all steps of all epochs. For supernets
    /// only.
    pub max_steps: usize,
    /// Number of images per step. A number above that of the training images means all of them.
    pub batch_size: usize,
    /// Number of consecutive steps that train the same architectures. For supernets only.
    pub steps_per_arch: usize,
    /// Learning rate at the start, above 0.
    pub lr: f64,
    /// Learning rate at the end of the linear and of the cosine schedule, at least 0.
    pub lr_min: f64,
    /// Schedule of the learning rate.
    pub lr_schedule: LrSchedule,
    /// Momentum of SGD, at least 0 and below 1.
    pub momentum: f64,
    /// Whether to use Nesterov momentum.
    pub nesterov: bool,
    /// Weight decay, at least 0: the factor of the weights that is added to their gradients (L2 penalty).
    pub weight_decay: f64,
    /// Largest 2-norm of all gradients of a step; larger gradients are scaled down to it.
    pub clip: f64,
}

impl Default for TrainConfig {
    /// Momentum, weight decay, batch size and clip are those of DARTS. The constant learning rate of 0.05 is this
    /// project's choice for short runs.
    fn default() -> Self {
        Self {
            init: None,
            epochs: 40,
            max_steps: 0,
            batch_size: 64,
            steps_per_arch: 1,
            lr: 0.05,
            lr_min: 0.001,
            lr_schedule: LrSchedule::Constant,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 3e-4,
            clip: 5.0,
        }
    }
}

/// Batch-norm statistics with which an architecture is evaluated with shared weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BnMode {
    /// Statistics of the evaluated batch.
    Batch,
    /// Averages over some training batches, measured again for each architecture.
    Recalibrate,
    /// Exponential moving averages over the training of all architectures.
    Running,
}

/// `[eval]`: measurement of shared-weight accuracy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvalConfig {
    /// Batch-norm statistics during evaluation.
    pub bn: BnMode,
    /// Number of validation images on which an architecture is evaluated: always the first ones in a fixed order. If
    /// there are fewer, all are used.
    pub images: usize,
    /// Largest number of images per evaluation batch. Results depend on it with `bn = "batch"` and `bn =
    /// "recalibrate"`; single-step disturbance and forgetting, which use the first batch, always do.
    pub batch_size: usize,
    /// Number of training images that measure the statistics of `bn = "recalibrate"`.
    pub recalibrate_images: usize,
    /// Decay per step of the exponential moving average of the shared weights, which is then evaluated and saved in
    /// place of the weights; at least 0 and below 1, 0 means no average. The average spans about 1 / (1 - decay) steps. Single-step disturbance
    /// and forgetting are those of the weights.
    pub weight_average: f64,
}

impl Default for EvalConfig {
    fn default() -> Self {
        Self { bn: BnMode::Batch, images: 500, batch_size: 250, recalibrate_images: 512, weight_average: 0.0 }
    }
}

/// `[probes]`: probe architectures, which are fixed random architectures evaluated after every epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeConfig {
    /// Number of probe architectures, at most the size of the space; 0 disables them. The paper of DINAS (Niu et al. 2021)
    /// uses 64.
    pub count: usize,
    /// Number of epochs between the two evaluations that performance disturbance and rank stability compare. DINAS (Niu
    /// et al. 2021) uses 13.
    pub interval: usize,
    /// Single-step disturbance is measured at steps whose number is a multiple of this value; 0 disables it. The step
    /// must be the first of its architectures, and must not train the previous architecture.
    pub single_step_every: usize,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self { count: 64, interval: 13, single_step_every: 10 }
    }
}

/// `[search]`: controller training and selection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchConfig {
    /// First epoch, from 0, after which the controller is trained. Before, architectures are drawn uniformly. `-1`
    /// means after three quarters of the run. DINAS starts at epoch 90; its paper does not report the total number of
    /// epochs.
    pub start: i64,
    /// Number of architectures that the controller proposes for the selection, 1 to 100,000.
    pub proposals: usize,
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self { start: -1, proposals: 10 }
    }
}
