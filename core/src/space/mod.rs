//! Search spaces: which architectures there are, how they are written, and how each is wired.

mod descriptor;
mod nasbench201;
mod nasbench_macro;
mod tiny;

pub use descriptor::{ScaleError, SpaceDescriptor};
pub use nasbench_macro::NasBenchMacro;
pub use nasbench201::NasBench201;
pub use tiny::Tiny;

#[cfg(test)]
mod tests;

use crate::arch::Arch;
use crate::network::Wire;
use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// One choice that an architecture makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its name within the space, for instance `edge 2<-1`.
    pub name: String,
    /// The names of its choices, in index order.
    pub choices: Vec<String>,
}

/// The size at which a space builds its networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// Image height, width and channels.
    pub image: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// Channels after the stem.
    pub width: usize,
    /// Cells per stage, or in total, as the space defines it.
    pub cells: usize,
}

/// Text or choices that are no architecture of the space.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("architecture `{text}` is not in space {space}: {problem}; an example is `{example}`")]
pub struct ArchError {
    /// The space asked.
    pub space: String,
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
    /// A valid architecture.
    pub example: String,
}

/// A set of architectures: how many there are, how they are written, and how each is wired ([`Wire`]). Holds no tensors.
pub trait SearchSpace: Wire + Send + Sync {
    /// The name under which it is registered.
    fn name(&self) -> &str;

    /// What an architecture decides, in order.
    fn decisions(&self) -> &[Decision];

    /// The size of its networks.
    fn scale(&self) -> &Scale;

    /// Reads an architecture in the ecosystem's own notation.
    ///
    /// # Errors
    /// Text that is no architecture of this space.
    fn parse(&self, text: &str) -> Result<Arch, ArchError>;

    /// Writes a valid architecture in the ecosystem's own notation; [`parse`](Self::parse) reads it back.
    fn format(&self, arch: &Arch) -> String;

    /// A text that is equal for architectures that compute the same function; by default the architecture itself.
    fn canonical(&self, arch: &Arch) -> String {
        self.format(arch)
    }

    /// Checks the number and the range of the choices.
    ///
    /// # Errors
    /// Choices that no architecture of this space has.
    fn validate(&self, arch: &Arch) -> Result<(), ArchError> {
        let (choices, decisions) = (arch.choices(), self.decisions());
        let fail = |problem| Err(self.error(&format!("{choices:?}"), problem));
        if choices.len() != decisions.len() {
            return fail(format!("expected {} choices, found {}", decisions.len(), choices.len()));
        }
        for (choice, decision) in choices.iter().zip(decisions) {
            let count = decision.choices.len();
            if *choice >= count {
                return fail(format!("{} has choices 0 to {}, found {choice}", decision.name, count - 1));
            }
        }
        Ok(())
    }

    /// A uniformly random architecture.
    fn sample(&self, rng: &mut dyn RngCore) -> Arch {
        let choose = |d: &Decision| rng.random_range(0..d.choices.len());
        Arch::new(self.decisions().iter().map(choose).collect::<Vec<_>>())
    }

    /// How many architectures there are (saturating).
    fn count(&self) -> u64 {
        self.decisions().iter().fold(1, |n: u64, d| n.saturating_mul(d.choices.len() as u64))
    }

    /// The architecture with this index: mixed radix, the first decision most significant; `index < count()`.
    fn nth(&self, mut index: u64) -> Arch {
        let mut choices = vec![0; self.decisions().len()];
        for (choice, decision) in choices.iter_mut().zip(self.decisions()).rev() {
            let radix = decision.choices.len() as u64;
            *choice = (index % radix) as usize;
            index /= radix;
        }
        Arch::new(choices)
    }

    /// The index of a valid architecture, the inverse of [`nth`](Self::nth).
    fn index(&self, arch: &Arch) -> u64 {
        arch.choices().iter().zip(self.decisions()).fold(0, |index: u64, (choice, d)| {
            index.saturating_mul(d.choices.len() as u64).saturating_add(*choice as u64)
        })
    }

    /// `n` distinct architectures in random order, all of them in index order where `n` is their number;
    /// `n <= count()`.
    fn sample_distinct(&self, n: usize, rng: &mut ChaCha8Rng) -> Vec<Arch> {
        match usize::try_from(self.count()) {
            Ok(count) if count == n => (0..self.count()).map(|index| self.nth(index)).collect(),
            Ok(count) if self.count() < u64::MAX => {
                rand::seq::index::sample(rng, count, n).into_iter().map(|index| self.nth(index as u64)).collect()
            }
            _ => {
                let mut found = std::collections::BTreeSet::new();
                std::iter::repeat_with(|| self.sample(rng)).filter(|arch| found.insert(arch.clone())).take(n).collect()
            }
        }
    }

    /// The error for `text`, with an example of what would be right.
    fn error(&self, text: &str, problem: String) -> ArchError {
        ArchError {
            space: self.name().into(),
            text: text.into(),
            problem,
            example: self.format(&self.nth(self.count() - 1)),
        }
    }
}

/// Checks that the number of cells is 1, for spaces whose depth is fixed.
fn without_cells(space: &str, scale: Scale) -> Result<Scale, ScaleError> {
    match scale.cells {
        1 => Ok(scale),
        n => Err(ScaleError(format!("space {space} has no cells to repeat, found {n}: leave --cells out"))),
    }
}

/// Reads a chain architecture written as one digit a decision.
fn parse_digits(space: &dyn SearchSpace, text: &str) -> Result<Arch, ArchError> {
    let digits: Option<Vec<usize>> = text.trim().chars().map(|c| c.to_digit(10).map(|d| d as usize)).collect();
    let digits = digits.ok_or_else(|| space.error(text, "expected only digits".into()))?;
    let arch = Arch::new(digits);
    space.validate(&arch).map_err(|e| space.error(text, e.problem))?;
    Ok(arch)
}

/// Writes a chain architecture as one digit a decision.
fn format_digits(arch: &Arch) -> String {
    arch.choices().iter().map(ToString::to_string).collect()
}
