//! `plugins`

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

/// `plugins`
#[derive(Debug, Args)]
pub struct PluginsArgs {
    /// What about them.
    #[command(subcommand)]
    pub command: PluginsCommand,
}

/// What to do about plugins.
#[derive(Debug, Subcommand)]
pub enum PluginsCommand {
    /// Load a plugin in a process of its own, where a crash does no harm, and try out each of its strategies
    Check {
        /// The shared library
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Check in this very process
        #[arg(long, hide = true)]
        here: bool,
    },
    /// Write a complete project that builds a plugin
    New {
        /// Name of the strategy, of a-z, 0-9 and -, and of the folder that is made
        name: String,
        /// Language of the project
        #[arg(long, value_enum, default_value = "rust")]
        lang: Language,
    },
}

/// Languages of projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust, on a safe layer over the interface
    Rust,
    /// C, on the interface itself
    C,
}
