//! The command line: subcommands and their options.

mod bench;
mod cluster;
mod compare;
mod config_help;
mod data;
mod describe;
mod export;
mod parse;
mod plugins;
mod resume;
mod retrain;
mod run;
mod search;
mod table;
mod truth;
mod unused;

pub use bench::BenchArgs;
pub use cluster::{ClusterArgs, ClusterCommand, ClusterCommandArgs, ClusterTaskArgs};
pub use compare::{Budget, CompareArgs};
pub use data::DataDirArg;
pub use describe::{DescribeArchArgs, DescribeArgs, DescribeCommand};
pub use export::ExportArgs;
pub use plugins::{Language, PluginsArgs, PluginsCommand};
pub use resume::ResumeArgs;
pub use retrain::RetrainArgs;
pub use run::{NamedOption, ProgressMode, RunArgs};
pub use search::{EvaluateArgs, SearchArgs};
pub use table::{TableArgs, TableFormat};
pub use truth::TruthArgs;

use crate::exit::HELP;
use clap::{Args, Parser, Subcommand, ValueHint};
use std::path::PathBuf;

/// Train weight-sharing supernets for neural architecture search and measure how well they rank architectures.
///
/// Without a subcommand, nas-train performs one run: it trains a supernet with the chosen strategy, selects an
/// architecture with the chosen controller, and compares the ranking of architectures by the supernet with their
/// stand-alone accuracies where these are known.
///
/// A run is configured by a TOML document. The sources of a value, from the lowest to the highest priority, are the
/// built-in default, --config FILE, --set SECTION.KEY=VALUE, and the options below. If an option is repeated, the last
/// value is used. `nas-train config show` prints the resulting configuration and the source of each value.
#[derive(Debug, Parser)]
#[command(name = "nas-train", version, after_help = HELP, args_conflicts_with_subcommands = true, args_override_self = true)]
pub struct Cli {
    /// The options of a run.
    #[command(flatten)]
    pub run: RunArgs,
    /// The subcommand; a run if there is none.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The subcommands of `nas-train`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List strategies, controllers, search spaces and data sets
    List(ListArgs),
    /// Continue an unfinished run from its latest checkpoint
    Resume(ResumeArgs),
    /// Search for architectures with the weights of a run, under limits of size and cost
    Search(SearchArgs),
    /// Evaluate given architectures with the weights of a run
    Evaluate(EvaluateArgs),
    /// Train one architecture from scratch, with weights of its own
    Retrain(Box<RetrainArgs>),
    /// Train architectures one after another and measure how each training changes the earlier architectures
    Disturbance(Box<DisturbanceArgs>),
    /// Measure the time of a training step for strategies, search spaces, batch sizes and thread counts
    Bench(Box<BenchArgs>),
    /// Compare strategies with equal seeds, data and budgets, and write one report
    Compare(Box<CompareArgs>),
    /// Write an HTML report of finished runs, or rewrite the report of a comparison
    Report(ReportArgs),
    /// Export the network of a finished run for other programs, or its metrics for TensorBoard
    Export(ExportArgs),
    /// Train architectures stand-alone and write their accuracies into a truth table
    Truth(Box<TruthArgs>),
    /// Show, retry, cancel or merge the runs that were submitted to a cluster
    Cluster(ClusterCommandArgs),
    /// Execute runs of a plan, as a task of a cluster
    #[command(hide = true)]
    ClusterTask(ClusterTaskArgs),
    /// Print published results on CIFAR-10 or ImageNet, with your retrained networks below them
    Table(TableArgs),
    /// Describe a strategy, controller or search space, with its options; a data set, with its files; or an
    /// architecture
    Describe(DescribeArgs),
    /// Print the resolved configuration or an example, or check a configuration file
    Config(ConfigArgs),
    /// Check a plugin (a shared library with strategies), or create a plugin project
    Plugins(PluginsArgs),
    /// Print a shell completion script
    Completions(CompletionsArgs),
    /// Write manual pages
    Man(ManArgs),
}

/// Options of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// List only this kind of component
    #[arg(value_enum)]
    pub kind: Option<Kind>,
    /// Print one JSON object per line instead of tables
    #[arg(long)]
    pub json: bool,
    /// Shared library with additional strategies; repeat the option for several
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub plugin: Vec<PathBuf>,
}

/// The kinds of components that `list` and `describe` show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Sharing strategies
    Strategies,
    /// Search controllers
    Controllers,
    /// Search spaces
    Spaces,
    /// Data sets
    Data,
}

/// Options of `disturbance`, which measures the matrix of figure 1(b) of the DINAS paper.
#[derive(Debug, Args)]
pub struct DisturbanceArgs {
    /// Number of distinct random architectures, each trained for --epochs epochs
    #[arg(long, value_name = "N", value_parser = parse::count_usize, default_value_t = 10, help_heading = "Sequence")]
    pub sequence: usize,
    /// The options of a run, except those of probes, controller and truth.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Options of `config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// The subcommands of `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the configuration that a run with these options uses, with the source of each value
    Show(Box<RunArgs>),
    /// Print all keys with their meanings and defaults
    Example,
    /// Check the keys, names and values of a configuration file without reading data
    Check {
        /// Configuration file in TOML
        file: PathBuf,
    },
}

/// Options of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Directories of runs, of `disturbance`, of `retrain` or of comparisons
    #[arg(required = true, value_name = "RUN", value_hint = clap::ValueHint::DirPath)]
    pub runs: Vec<PathBuf>,
    /// Directory for report.html and figures/ [default: RUN if only one is given, otherwise `report`]
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub out: Option<PathBuf>,
}

/// Options of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Shell that runs the script
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Options of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Directory for the manual pages; created if it does not exist
    pub dir: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        Cli::definition().debug_assert();
    }

    #[test]
    fn a_run_needs_no_options_and_no_subcommand() {
        let cli = Cli::try_parse_from(["nas-train"]).unwrap();
        assert!(cli.command.is_none());
        assert!(Cli::try_parse_from(["nas-train", "--seed", "1", "list"]).is_err());
    }

    #[test]
    fn a_repeated_option_takes_its_last_value_and_assignments_accumulate() {
        let run = Cli::parse_from(["nas-train", "--seed=1", "--set=a=1", "--seed=2", "--set=b=2"]).run;
        assert_eq!((run.seed, run.set), (Some(2), vec!["a=1".into(), "b=2".into()]));
    }
}
