//! The options of `plugins`.

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

/// Options of `plugins`.
#[derive(Debug, Args)]
pub struct PluginsArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub command: PluginsCommand,
}

/// The subcommands of `plugins`.
#[derive(Debug, Subcommand)]
pub enum PluginsCommand {
    /// Load a plugin in a separate process and run the conformance tests on each of its strategies
    Check {
        /// Shared library of the plugin
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Run the tests in this process
        #[arg(long, hide = true)]
        here: bool,
    },
    /// Create a project that builds a plugin
    New {
        /// Name of the strategy and of the new folder: a-z, 0-9 and -, a letter first
        name: String,
        /// Programming language of the project
        #[arg(long, value_enum, default_value = "rust")]
        lang: Language,
    },
}

/// The programming languages of plugin projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust, with a safe wrapper of the plugin interface
    Rust,
    /// C, with the header of the plugin interface
    C,
}
