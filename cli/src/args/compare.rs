//! The options of `compare`.

use super::parse::{assignment, count_usize, from_to};
use super::{ClusterArgs, RunArgs};
use clap::{Args, ValueEnum};
use nas_core::quote;

/// The amount that is equal in all runs of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Budget {
    /// Equal numbers of sub-net passes (forward and backward pass of one architecture on one batch)
    Passes,
    /// Equal numbers of steps (optimizer updates)
    Steps,
    /// Equal training times, estimated from step times that are measured before the runs
    Time,
}

impl Budget {
    /// The key in `comparison.json`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Passes => "passes",
            Self::Steps => "steps",
            Self::Time => "time",
        }
    }
}

/// Options of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Variants to compare, separated by commas: NAME, or NAME:KEY=VALUE:... for a strategy with other options; a KEY
    /// with a dot is a key of the configuration. Example: plain,ogd,ogd:alpha=0.03,plain:train.lr=0.02. The first
    /// variant is the reference of all differences, with the length --epochs and the interval --interval; those of the
    /// other variants follow from --budget
    #[arg(long, value_name = "LIST", help_heading = "Comparison")]
    pub strategies: String,
    /// Number of runs of each variant; the seeds are --seed, --seed + 1, ... At least 6 are needed for a conclusion
    #[arg(long, value_name = "N", value_parser = from_to::<1, 65_535>, default_value_t = 3, help_heading = "Comparison")]
    pub seeds: u32,
    /// Amount that is equal in all runs
    #[arg(long, value_enum, value_name = "KIND", default_value = "passes", help_heading = "Comparison")]
    pub budget: Budget,
    /// Set an option of all variants of a strategy; a KEY with a dot is a key of the configuration. Options within a
    /// variant take precedence. Repeat the option for several
    #[arg(long, num_args = 2, value_names = ["STRATEGY", "KEY=VALUE"], help_heading = "Comparison")]
    pub set_for: Vec<String>,
    /// Number of runs in parallel on this machine; 0 starts one for each thread of --threads on the CPU, and a single
    /// one on a GPU. Peak memory is reported only without parallel runs [default: 1]
    #[arg(long, value_name = "K", value_parser = from_to::<0, 1_024>, help_heading = "Comparison")]
    pub jobs: Option<u32>,
    /// Number of architectures in the disturbance matrix of each strategy, trained one after another with the first
    /// seed: 2 to 10,000, or 0 for no matrix
    #[arg(long, value_name = "N", value_parser = count_usize, default_value_t = 5, help_heading = "Comparison")]
    pub sequence: usize,
    /// Epochs for each architecture of the disturbance matrix
    #[arg(long, value_name = "N", value_parser = from_to::<1, 65_535>, default_value_t = 6, help_heading = "Comparison")]
    pub sequence_epochs: u32,
    /// The options of a scheduler.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// The options of a run. `--out` is the directory of the comparison, which is resumed if it exists.
    #[command(flatten)]
    pub run: RunArgs,
}

impl CompareArgs {
    /// The pairs (strategy, `key=value`) of `--set-for`.
    ///
    /// # Errors
    /// An assignment without a key; the message states the expected form.
    pub fn assignments(&self) -> Result<Vec<(&str, &str)>, String> {
        let expected = "expected KEY=VALUE, for instance alpha=0.03 or train.lr=0.02";
        let pair = |pair: &'_ [String]| {
            assignment(&pair[1]).map(drop).map_err(|_| format!("{expected}, found `{}`", quote(&pair[1])))
        };
        self.set_for.chunks_exact(2).try_for_each(pair)?;
        Ok(self.set_for.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect())
    }
}
