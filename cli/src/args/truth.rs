//! The options of `truth`.

use super::parse::{from_to, samples};
use super::{ClusterArgs, RunArgs};
use clap::Args;

/// Options of `truth`.
#[derive(Debug, Args)]
pub struct TruthArgs {
    /// Number of distinct random architectures to train, or `all` for the whole search space
    #[arg(long, value_name = "N|all", value_parser = samples, default_value = "200", help_heading = "Stand-alone training")]
    pub samples: String,
    /// Number of trainings of each architecture; the seeds are --seed, --seed + 1, ...
    #[arg(long, value_name = "N", value_parser = from_to::<1, 65_535>, default_value_t = 1, help_heading = "Stand-alone training")]
    pub seeds: u32,
    /// Number of trainings in parallel on this machine; 0 starts one for each thread of --threads on the CPU, and a
    /// single one on a GPU. The accuracies do not depend on it [default: 0]
    #[arg(long, value_name = "K", value_parser = from_to::<0, 1_024>, help_heading = "Stand-alone training")]
    pub jobs: Option<u32>,
    /// The options of a scheduler.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// The options of a run, except those of strategy, controller, probes and truth. `--out FILE.csv` is the table,
    /// which is resumed if it exists.
    #[command(flatten)]
    pub run: RunArgs,
}
