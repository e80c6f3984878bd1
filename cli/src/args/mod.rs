//! The command line.

mod bench;
mod compare;
mod parse;
mod plugins;
mod run;
mod truth;
mod unused;

pub use bench::BenchArgs;
pub use compare::{Budget, CompareArgs};
pub use plugins::{Language, PluginsArgs, PluginsCommand};
pub use run::{Named, ProgressMode, RunArgs};
pub use truth::TruthArgs;

use crate::exit::HELP;
use clap::{Args, Parser, Subcommand, ValueHint};
use std::path::PathBuf;

/// Compares weight-sharing strategies for neural architecture search on one training loop.
///
/// Without a subcommand it makes a run: it trains one supernet with the chosen strategy, searches an architecture with
/// the chosen controller, and compares the ranking with stand-alone training where that is known.
///
/// A run is configured by a TOML document. Later layers win: built-in defaults, --config FILE, --set key=value, and the
/// options below; of a repeated option the last. `nas-train config show` prints the outcome.
#[derive(Debug, Parser)]
#[command(name = "nas-train", version, after_help = HELP, args_conflicts_with_subcommands = true, args_override_self = true)]
pub struct Cli {
    /// The options of a run.
    #[command(flatten)]
    pub run: RunArgs,
    /// What to do instead of a run.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do instead of a run.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List strategies, controllers, search spaces and data sets
    List(ListArgs),
    /// Train architectures one after another and show what each does to those before it
    Disturbance(Box<DisturbanceArgs>),
    /// Time training steps of strategies and spaces side by side, on random images
    Bench(Box<BenchArgs>),
    /// Run several strategies with equal seeds, data and budgets, and write one report
    Compare(Box<CompareArgs>),
    /// Write one HTML report of run directories, or rebuild that of a comparison
    Report(ReportArgs),
    /// Write the metrics of a run for other programs
    Export(ExportArgs),
    /// Train architectures alone, from scratch: the truth that rankings are compared with
    Truth(Box<TruthArgs>),
    /// Describe a strategy, controller, search space or data set: options, size, how to get it
    Describe(DescribeArgs),
    /// Show, check or exemplify configurations
    Config(ConfigArgs),
    /// Check or begin a plugin: a shared library with strategies of your own
    Plugins(PluginsArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Write manual pages
    Man(ManArgs),
}

/// `list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only these
    #[arg(value_enum)]
    pub kind: Option<Kind>,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Shared library with further strategies; may be repeated
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub plugin: Vec<PathBuf>,
}

/// Kinds of components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Ways to share weights
    Strategies,
    /// Ways to choose architectures
    Controllers,
    /// Search spaces
    Spaces,
    /// Data sets
    Data,
}

/// `disturbance`: the matrix of the DINAS paper, figure 1(b)
#[derive(Debug, Args)]
pub struct DisturbanceArgs {
    /// How many distinct random architectures to train one after another, each for --epochs epochs
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Sequence")]
    pub sequence: usize,
    /// The options of a run; probes, controller and truth have no part here.
    #[command(flatten)]
    pub run: RunArgs,
}

/// `describe`
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// A name from `nas-train list`
    pub name: String,
    /// Shared library with further strategies; may be repeated
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub plugin: Vec<PathBuf>,
}

/// `config`
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// What about it.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What to do with a configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the configuration that a run with these options would use, and where each value comes from
    Show(Box<RunArgs>),
    /// Print every key with its default, commented out
    Example,
    /// Check a configuration file, component options included, without reading data
    Check {
        /// The file
        file: PathBuf,
    },
}

/// `export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Directory of a finished run
    #[arg(value_name = "RUN", value_hint = clap::ValueHint::DirPath)]
    pub run: PathBuf,
    /// Write TensorBoard event files into this directory
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub tensorboard: PathBuf,
}

/// `report`
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Directories of runs, sequences or comparisons
    #[arg(required = true, value_name = "RUN", value_hint = clap::ValueHint::DirPath)]
    pub runs: Vec<PathBuf>,
    /// Where report.html and figures/ go [default: the only directory given, else `report`]
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub out: Option<PathBuf>,
}

/// `completions`
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `man`
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Where to; made if missing
    pub dir: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definition_is_consistent() {
        Cli::definition().debug_assert();
    }

    #[test]
    fn a_run_needs_no_options_and_no_subcommand() {
        let cli = Cli::try_parse_from(["nas-train"]).unwrap();
        assert!(cli.command.is_none());
        assert!(Cli::try_parse_from(["nas-train", "--seed", "1", "list"]).is_err());
    }

    #[test]
    fn the_last_of_a_repeated_option_wins_and_assignments_add_up() {
        let run = Cli::parse_from(["nas-train", "--seed=1", "--set=a=1", "--seed=2", "--set=b=2"]).run;
        assert_eq!((run.seed, run.set), (Some(2), vec!["a=1".into(), "b=2".into()]));
    }
}
