//! The options of `bench`.

use super::RunArgs;
use super::parse::{List, positive};
use clap::Args;

/// `bench`
///
/// Every combination of the lists is a case. Cases run one after the other in processes of their own, so that the
/// peak memory is that of the case, and all of them once in every round, so that whatever disturbs the machine
/// disturbs all of them. The medians of the rounds are printed.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// Search spaces [default: that of --space]
    #[arg(long, value_name = "A,B,...", help_heading = "Cases")]
    pub spaces: Option<List<String>>,
    /// Strategies [default: that of --strategy]
    #[arg(long, value_name = "A,B,...", help_heading = "Cases")]
    pub strategies: Option<List<String>>,
    /// Batch sizes [default: that of --batch-size]
    #[arg(long, value_name = "N,N,...", help_heading = "Cases")]
    pub batch_sizes: Option<List<usize>>,
    /// Numbers of worker threads [default: that of --threads]
    #[arg(long, value_name = "N,N,...", help_heading = "Cases")]
    pub thread_counts: Option<List<usize>>,
    /// Steps that are timed in each round
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 40, help_heading = "Cases")]
    pub steps: i64,
    /// Steps before them that are not timed
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 5, help_heading = "Cases")]
    pub warm_up: i64,
    /// Rounds
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 5, help_heading = "Cases")]
    pub rounds: i64,
    /// The options of a run. Without --data, the images are random, 32 x 32 pixels in 10 classes; probes, controller,
    /// truth and the run directory have no part here.
    #[command(flatten)]
    pub run: RunArgs,
}
