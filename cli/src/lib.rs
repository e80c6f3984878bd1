//! The program `nas-train` as a library: command line, configuration, progress, run directories and reports.
//!
//! A crate can build the program with additional strategies, controllers or search spaces: it links their crate
//! (`use my_strategies as _;`) and calls [`main`] from its own `main`.
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     nas_cli::main(std::env::args_os())
//! }
//! ```

mod archive;
mod args;
mod claim;
mod cluster;
mod commands;
mod comparison;
mod csv_text;
mod data;
mod device;
mod error_messages;
mod exit;
mod export;
mod files;
mod html;
mod machine;
mod parallel;
mod planned_run;
mod plugin_build;
mod progress;
mod published;
mod record;
mod resume;
mod run_kind;
mod settings;
mod sharding;
mod signal;
mod single_run;
mod summary;
mod tensorboard;
mod text;
mod text_table;
mod trained_run;
mod trainings;

pub use args::Cli;
pub use exit::ExitStatus;

use args::Command;
// Links the built-in strategies, so that they are registered.
use nas_strategies as _;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program with these arguments; the first one is the name of the program.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    signal::report_file_size_limit();
    let status = match Cli::read(arguments) {
        Ok(cli) => dispatch(&cli).unwrap_or_else(|error| error_messages::print_error(&error)),
        Err(error) => error_messages::print_argument_error(error),
    };
    status.into()
}

fn dispatch(cli: &Cli) -> anyhow::Result<ExitStatus> {
    commands::check_registry()?;
    match &cli.command {
        None => commands::run(&cli.run),
        Some(Command::Resume(args)) => commands::resume(args),
        Some(Command::Search(args)) => commands::search(args),
        Some(Command::Evaluate(args)) => commands::evaluate(args),
        Some(Command::Retrain(args)) => commands::retrain(args, None),
        Some(Command::Disturbance(args)) => commands::disturbance(args),
        Some(Command::Bench(args)) => commands::bench(args),
        Some(Command::Compare(args)) => commands::compare(args, None),
        Some(Command::Report(args)) => commands::report(args),
        Some(Command::Export(args)) => commands::export(args),
        Some(Command::Truth(args)) => commands::truth(args, None),
        Some(Command::Cluster(args)) => commands::cluster(args),
        Some(Command::ClusterTask(args)) => commands::cluster_task(args),
        Some(Command::Table(args)) => commands::table(args),
        Some(Command::List(args)) => commands::list(args),
        Some(Command::Describe(args)) => commands::describe(args),
        Some(Command::Config(args)) => commands::config(args),
        Some(Command::Plugins(args)) => commands::plugins(args),
        Some(Command::Completions(args)) => commands::completions(args),
        Some(Command::Man(args)) => commands::man(args),
    }
}
