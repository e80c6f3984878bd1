//! Errors of sharing strategies.

use crate::controller::ControllerError;
use crate::options::OptionsError;
use crate::quote::value;
use crate::state::StateError;
use nas_ops::OpError;

/// Errors of sharing strategies. They end the run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StrategyError {
    /// A table of options that cannot be read.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// An option outside its range.
    #[error("{option}: expected {expected}, found {}", value(found))]
    Option {
        /// Dotted key of the option.
        option: String,
        /// Range of valid values.
        expected: String,
        /// Value that was given.
        found: String,
    },
    /// A search space that the strategy cannot train.
    #[error("strategy {strategy} cannot train space {space}: {problem}")]
    Space {
        /// Name of the strategy.
        strategy: String,
        /// Name of the search space.
        space: String,
        /// Reason and remedy.
        problem: String,
    },
    /// A tensor operation failed.
    #[error(transparent)]
    Op(#[from] OpError),
    /// Saved state that does not fit the strategy.
    #[error(transparent)]
    State(#[from] StateError),
    /// The controller failed to draw an architecture.
    #[error(transparent)]
    Draw(Box<ControllerError>),
    /// A failure of a plugin, or a violation of the plugin contract. The message has the plugin's name and version.
    #[error("{0}")]
    Plugin(String),
    /// Any other failure, with the message of the strategy.
    #[error("{0}")]
    Other(String),
}

impl From<ControllerError> for StrategyError {
    fn from(error: ControllerError) -> Self {
        Self::Draw(Box::new(error))
    }
}
