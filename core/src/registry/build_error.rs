//! The error of selecting and building a strategy, controller or space by name.

use crate::controller::ControllerError;
use crate::quote::quote;
use crate::space::SpaceError;
use crate::strategy::StrategyError;

/// Failure to select or build a strategy, controller or space.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A name under which nothing is registered.
    #[error("unknown {kind} `{}`{hint}; known: {known}", quote(name))]
    Unknown {
        /// `strategy`, `controller` or `space`.
        kind: &'static str,
        /// Name that was given.
        name: String,
        /// `, did you mean ...?` with the nearest registered name; empty where none is near.
        hint: String,
        /// All registered names, separated by commas.
        known: String,
    },
    /// Two descriptors of one kind with the same name.
    #[error("two {kind} descriptors are called `{name}`: rename one of them")]
    Clash {
        /// `strategy`, `controller` or `space`.
        kind: &'static str,
        /// Name that both have.
        name: String,
    },
    /// Failure to build the strategy, its options included.
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    /// Failure to build the controller, its options included.
    #[error(transparent)]
    Controller(#[from] ControllerError),
    /// Failure to build the space, its options included.
    #[error(transparent)]
    Space(#[from] SpaceError),
}
