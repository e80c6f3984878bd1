//! Architectures as lists of choices.

/// An architecture of a search space: one choice for every decision.
///
/// The type holds the indices of the choices only. [`SearchSpace`](crate::space::SearchSpace) parses, formats and
/// validates architectures.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arch(Box<[usize]>);

impl Arch {
    /// Creates an architecture from its choices, in the order of the space's decisions.
    pub fn new(choices: impl Into<Box<[usize]>>) -> Self {
        Self(choices.into())
    }

    /// Indices of the choices, in the order of the space's decisions.
    pub fn choices(&self) -> &[usize] {
        &self.0
    }
}
