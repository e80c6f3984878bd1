//! `truth`

use super::RunArgs;
use super::parse::samples;
use clap::Args;

/// `truth`: stand-alone training
#[derive(Debug, Args)]
pub struct TruthArgs {
    /// How many distinct random architectures to train: a number, or `all`
    #[arg(long, value_name = "N|all", value_parser = samples, default_value = "200", help_heading = "Stand-alone training")]
    pub samples: String,
    /// Trainings of each architecture, with the seeds from --seed on
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), default_value_t = 1, help_heading = "Stand-alone training")]
    pub seeds: u16,
    /// Trainings at once, 0 for one a core; the result does not depend on it
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(..=1024), default_value_t = 0, help_heading = "Stand-alone training")]
    pub jobs: u16,
    /// The options of a run. Here --out FILE.csv is the table, which is continued if it exists; --epochs, --lr and the
    /// rest of [train] are the recipe; strategy, controller, probes and truth have no part.
    #[command(flatten)]
    pub run: RunArgs,
}
