//! The options of `bench`.

use super::RunArgs;
use super::parse::{List, counts, names, positive, positive_numbers};
use clap::Args;

/// Options of `bench`.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// Search spaces [default: the value of --space]
    #[arg(long, value_name = "A,B,...", value_parser = names, help_heading = "Cases")]
    pub spaces: Option<List<String>>,
    /// Strategies [default: the value of --strategy]
    #[arg(long, value_name = "A,B,...", value_parser = names, help_heading = "Cases")]
    pub strategies: Option<List<String>>,
    /// Batch sizes [default: the value of --batch-size]
    #[arg(long, value_name = "N,N,...", value_parser = positive_numbers, help_heading = "Cases")]
    pub batch_sizes: Option<List<i64>>,
    /// Numbers of worker threads [default: the value of --threads]
    #[arg(long, value_name = "N,N,...", value_parser = counts, help_heading = "Cases")]
    pub thread_counts: Option<List<i64>>,
    /// Number of timed steps in each round
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 40, help_heading = "Cases")]
    pub steps: i64,
    /// Number of steps before the timed ones
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 5, help_heading = "Cases")]
    pub warm_up: i64,
    /// Number of rounds; the table shows the median round
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 5, help_heading = "Cases")]
    pub rounds: i64,
    /// End when standard input ends. A benchmark holds the other end of this pipe for the processes of its cases
    #[arg(long, hide = true)]
    pub end_with_stdin: bool,
    /// The options of a run, except those of probes, controller, truth and the run directory. Without `--data`, the
    /// images are random: 32 x 32 pixels, 10 classes.
    #[command(flatten)]
    pub run: RunArgs,
}
