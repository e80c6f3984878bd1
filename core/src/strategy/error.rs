//! Errors of sharing strategies.

use crate::options::OptionsError;
use crate::state::StateError;
use nas_ops::OpError;

/// A strategy that cannot go on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StrategyError {
    /// A table of options that cannot be read.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// An option out of its range.
    #[error("strategy option {option}: expected {expected}, found {found}")]
    Option {
        /// The option.
        option: String,
        /// Its range.
        expected: String,
        /// What was given.
        found: String,
    },
    /// A space that the strategy cannot train.
    #[error("strategy {strategy} cannot train space {space}: {problem}")]
    Space {
        /// The strategy.
        strategy: String,
        /// The space.
        space: String,
        /// Why not, and what to do.
        problem: String,
    },
    /// A tensor operation failed.
    #[error(transparent)]
    Op(#[from] OpError),
    /// Saved state of another run.
    #[error(transparent)]
    State(#[from] StateError),
    /// A plugin that broke its contract or failed, with its name and version.
    #[error("{0}")]
    Plugin(String),
    /// Anything else, in the strategy's own words.
    #[error("{0}")]
    Other(String),
}
