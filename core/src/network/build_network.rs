//! The interface through which a search space builds networks.

use super::{NetworkBuilder, NetworkError, Value};
use crate::arch::Arch;

/// Choices that a network contains: those of one architecture, or all of them (the supernet).
#[derive(Debug, Clone, Copy)]
pub enum ChoiceSet<'a> {
    /// Every choice of every decision.
    All,
    /// The choices of one architecture.
    One(&'a Arch),
}

impl ChoiceSet<'_> {
    /// Indices of the contained choices of `decision`, which has `count` choices.
    pub fn of(&self, decision: usize, count: usize) -> std::ops::Range<usize> {
        match self {
            Self::All => 0..count,
            Self::One(arch) => {
                let choice = arch.choices()[decision];
                choice..choice + 1
            }
        }
    }
}

/// Builds the network of an architecture, or the supernet, layer by layer.
///
/// Every search space implements this trait. It is separate from [`SearchSpace`](crate::space::SearchSpace) so that the
/// module `network` does not depend on `space`.
///
/// A network of one architecture without decisions implements it too, and ignores the choices; see
/// [`NetworkSpec::stand_alone`](super::NetworkSpec::stand_alone).
pub trait BuildNetwork {
    /// Adds the layers and operations of the contained choices to `net` and returns the class scores.
    ///
    /// Where several choices of one decision are contained, their results are summed.
    ///
    /// # Errors
    /// Images too small for the network, or other sizes that do not fit.
    fn build_network(&self, net: &mut NetworkBuilder<'_>, choices: ChoiceSet<'_>) -> Result<Value, NetworkError>;
}
