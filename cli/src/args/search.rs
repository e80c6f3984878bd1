//! The options of `search` and `evaluate`.

use super::parse::{controller_option, count, evaluation_setting, positive};
use super::{DataDirArg, ProgressMode};
use clap::{Args, ValueHint};
use std::path::PathBuf;

/// Options of `search`.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// Run directory with weights.safetensors
    #[arg(value_name = "RUN", value_hint = ValueHint::DirPath)]
    pub run: PathBuf,
    /// The folder of the data set.
    #[command(flatten)]
    pub data: DataDirArg,
    /// Search controller, from `nas-train list controllers`
    #[arg(long, value_name = "NAME", default_value = "evolution")]
    pub controller: String,
    /// Option of the controller, such as controller.population=20; repeat the option for several
    #[arg(long = "set", value_name = "controller.KEY=VALUE", value_parser = controller_option)]
    pub set: Vec<String>,
    /// Number of proposals
    #[arg(long, value_name = "N", value_parser = positive, default_value = "1000")]
    pub budget: i64,
    /// Largest number of parameters of an architecture
    #[arg(long, value_name = "N", value_parser = positive)]
    pub max_params: Option<i64>,
    /// Largest number of multiply-adds of an architecture
    #[arg(long, value_name = "N", value_parser = positive)]
    pub max_macs: Option<i64>,
    /// Seed of the search
    #[arg(long, value_name = "N", value_parser = count, default_value = "0")]
    pub seed: i64,
    /// Directory for the candidates, new or empty [default: RUN/search-CONTROLLER-sSEED]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Print the result as one line of JSON instead of a table
    #[arg(long)]
    pub json: bool,
    /// Progress display on standard error
    #[arg(long, value_enum, value_name = "KIND", default_value = "auto")]
    pub progress: ProgressMode,
}

/// Options of `evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// Run directory with weights.safetensors
    #[arg(value_name = "RUN", value_hint = ValueHint::DirPath)]
    pub run: PathBuf,
    /// The folder of the data set.
    #[command(flatten)]
    pub data: DataDirArg,
    /// Architecture in the notation of the search space; repeat the option for several
    #[arg(long, value_name = "ARCH")]
    pub arch: Vec<String>,
    /// CSV file with a column `arch`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub archs: Option<PathBuf>,
    /// Evaluate the architectures of the truth comparison (truth.samples of the truth table), and print how well their
    /// ranking agrees with their stand-alone accuracies
    #[arg(long, conflicts_with_all = ["arch", "archs"])]
    pub ranking: bool,
    /// Setting of the evaluation or of the truth comparison that replaces that of the run, such as eval.images=2000,
    /// eval.bn=recalibrate or truth.samples=all; repeat the option for several
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE", value_parser = evaluation_setting)]
    pub set: Vec<String>,
    /// Evaluate on all test images instead of the validation images of the run
    #[arg(long)]
    pub test: bool,
    /// Print one JSON object per line instead of a table
    #[arg(long)]
    pub json: bool,
    /// Progress display on standard error
    #[arg(long, value_enum, value_name = "KIND", default_value = "auto")]
    pub progress: ProgressMode,
}
