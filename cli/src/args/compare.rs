//! `compare`

use super::RunArgs;
use super::parse::assignment;
use clap::{Args, ValueEnum};

/// What the runs of a comparison have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Budget {
    /// Forward and backward passes of one architecture on one batch
    Passes,
    /// Updates of the weights
    Updates,
    /// Training time, by a measurement before the runs
    Time,
}

/// `compare`: several strategies side by side
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Strategies, separated by commas; variants as NAME:KEY=VALUE:..., a KEY with a dot being one of the whole
    /// configuration: plain,ogd,ogd:alpha=0.03,plain:train.lr=0.02. Differences are to the first, and --epochs and
    /// --interval are those of the first
    #[arg(long, value_name = "LIST", help_heading = "Comparison")]
    pub strategies: String,
    /// Runs of each, with the seeds from --seed on; differences over fewer than 6 show nothing
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), default_value_t = 3, help_heading = "Comparison")]
    pub seeds: u16,
    /// What all runs get the same amount of
    #[arg(long, value_enum, value_name = "KIND", default_value = "passes", help_heading = "Comparison")]
    pub budget: Budget,
    /// Set an option of one of the strategies, wherever it is in the list; a variant's own options win
    #[arg(long, num_args = 2, value_names = ["STRATEGY", "KEY=VALUE"], help_heading = "Comparison")]
    pub set_for: Vec<String>,
    /// Runs at once, 0 for one a core; times and memory are only told for one at a time
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(..=1024), default_value_t = 1, help_heading = "Comparison")]
    pub jobs: u16,
    /// Architectures trained one after another for the disturbance matrix of each strategy, with the first seed; 0 for
    /// no matrix
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Comparison")]
    pub sequence: usize,
    /// Epochs for each of these
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), default_value_t = 6, help_heading = "Comparison")]
    pub sequence_epochs: u16,
    /// The options of a run. --out is the directory of the comparison, which is continued if it exists.
    #[command(flatten)]
    pub run: RunArgs,
}

impl CompareArgs {
    /// `--set-for` in pairs, the assignment checked.
    ///
    /// # Errors
    /// An assignment without a key, in words.
    pub fn assignments(&self) -> Result<Vec<(&str, &str)>, String> {
        let pair = |pair: &'_ [String]| assignment(&pair[1]).map(|_| ());
        self.set_for.chunks_exact(2).try_for_each(pair)?;
        Ok(self.set_for.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect())
    }
}
