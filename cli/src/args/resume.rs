//! The options of `resume`.

use super::parse::{count, positive};
use super::{DataDirArg, ProgressMode};
use clap::{Args, ValueHint};
use std::path::PathBuf;

/// Options of `resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Run directory of an unfinished run, or of a finished one with --epochs
    #[arg(value_name = "RUN", value_hint = ValueHint::DirPath)]
    pub run: PathBuf,
    /// Number of epochs in all, more than before. Requires a constant train.lr_schedule, train.max_steps = 0 and, for
    /// ogd, a constant strategy.alpha_schedule [default: as before]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub epochs: Option<i64>,
    /// The folder of the data set.
    #[command(flatten)]
    pub data: DataDirArg,
    /// Number of worker threads; 0 starts one per core [default: as before]
    #[arg(long, value_name = "N", value_parser = count)]
    pub threads: Option<i64>,
    /// Print the result as one line of JSON instead of a table
    #[arg(long)]
    pub json: bool,
    /// Progress display on standard error. Warnings are shown in every mode
    #[arg(long, value_enum, value_name = "KIND", default_value = "auto")]
    pub progress: ProgressMode,
}
