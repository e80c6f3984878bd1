//! The interface through which a search space builds networks.

use super::{Value, WireError, Wiring};
use crate::arch::Arch;

/// Choices that a network contains: those of one architecture, or all of them (the supernet).
#[derive(Debug, Clone, Copy)]
pub enum Pick<'a> {
    /// Every choice of every decision.
    All,
    /// The choices of one architecture.
    One(&'a Arch),
}

impl Pick<'_> {
    /// Indices of the picked choices of `decision`, which has `count` choices.
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
/// A network of one architecture without decisions implements it too, and ignores the pick; see
/// [`NetworkSpec::stand_alone`](super::NetworkSpec::stand_alone).
pub trait Wire {
    /// Adds the layers and operations of the picked choices to `net` and returns the class scores.
    ///
    /// Where several choices of one decision are picked, their results are summed.
    ///
    /// # Errors
    /// Images too small for the network, or other sizes that do not fit.
    fn wire(&self, net: &mut Wiring<'_>, pick: Pick<'_>) -> Result<Value, WireError>;
}
