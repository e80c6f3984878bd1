//! An architecture as the choices that make it.

/// An architecture of some search space: for each of the space's decisions, the index of the choice taken.
///
/// It knows nothing of its space; [`SearchSpace`](crate::space::SearchSpace) parses, prints and validates it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arch(Box<[usize]>);

impl Arch {
    /// The architecture with these choices, in the order of the space's decisions.
    pub fn new(choices: impl Into<Box<[usize]>>) -> Self {
        Self(choices.into())
    }

    /// The choices, in the order of the space's decisions.
    pub fn choices(&self) -> &[usize] {
        &self.0
    }
}
