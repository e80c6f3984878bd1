//! The options of `retrain`.

use super::parse::from_to;
use super::{ClusterArgs, RunArgs};
use clap::{Args, ValueHint};
use std::path::PathBuf;

/// Options of `retrain`.
#[derive(Debug, Args)]
pub struct RetrainArgs {
    /// Architecture in the notation of the search space, or the name of a published one
    #[arg(long, value_name = "ARCH", help_heading = "Stand-alone training")]
    pub arch: Option<String>,
    /// Run directory from which the architecture (unless --arch is given), the search space and the data settings are
    /// taken
    #[arg(long, value_name = "RUN", value_hint = ValueHint::DirPath, help_heading = "Stand-alone training")]
    pub from: Option<PathBuf>,
    /// Published settings of a search space: darts-cifar, dinas-cifar, darts-imagenet, nasbench201 or macro. They
    /// replace those of --from, and the options below replace them
    #[arg(long, value_name = "NAME", help_heading = "Stand-alone training")]
    pub recipe: Option<String>,
    /// Number of trainings; more than 1 requires --out; the seeds are --seed, --seed + 1, ...
    #[arg(long, value_name = "N", value_parser = from_to::<1, 65_535>, default_value_t = 1, help_heading = "Stand-alone training")]
    pub seeds: u32,
    /// The options of a scheduler.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// The options of a run, except those of strategy, controller, probes and truth.
    #[command(flatten)]
    pub run: RunArgs,
}
