//! Search spaces: the architectures among which a search chooses, their notation, and their networks.

mod darts;
mod descriptor;
mod fairnas;
mod nasbench201;
mod nasbench_macro;
mod tiny;

pub use darts::{CellEdge, CellGenotype, CellNetwork, CellOp, Darts, Genotype, Stem};
pub use descriptor::{SpaceBuilder, SpaceDescriptor, SpaceError};
pub use fairnas::FairNasSpace;
pub use nasbench_macro::NasBenchMacro;
pub use nasbench201::NasBench201;
pub use tiny::Tiny;

#[cfg(test)]
mod tests;

use crate::arch::Arch;
use crate::network::{BuildNetwork, ChoiceSet, NetworkBuilder, NetworkError, Value};
use crate::quote::quote_start;
use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// One decision of a search space: a list of choices, of which an architecture takes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Name of the decision, unique within its space, for example `edge 2<-1`.
    pub name: String,
    /// Names of the choices, in index order.
    pub choices: Vec<String>,
    /// Whether the decision chooses an operation or predecessors (topology).
    pub role: DecisionRole,
}

impl Decision {
    /// A decision between operations.
    pub fn operation(name: impl Into<String>, choices: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let choices = choices.into_iter().map(Into::into).collect();
        Self { name: name.into(), choices, role: DecisionRole::Operation }
    }

    /// Whether the decision chooses an operation. Only such decisions count in the figures of fairness, and `fairnas`
    /// balances only them.
    pub fn is_operation(&self) -> bool {
        self.role == DecisionRole::Operation
    }
}

/// The kind of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecisionRole {
    /// Operations, each with weights of its own.
    Operation,
    /// Predecessors of a node in a cell. The operations of the node's edges are later decisions.
    ///
    /// The topology decisions of a cell follow one another in the order of their nodes. A node that is not larger than
    /// the one before begins another cell.
    Topology {
        /// The node whose predecessors are chosen.
        node: usize,
        /// For each choice, the predecessors, all below `node`.
        predecessors: Vec<Vec<usize>>,
    },
}

/// The size at which a space builds its networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// Height, width and channels of the input images.
    pub image: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// Base number of channels: those after the stem in most spaces, of a node of the first cells in `darts`, and a
    /// scale of all channels in `fairnas` (32 is the size of the paper).
    pub width: usize,
    /// Number of cells, per stage or in total as the space defines it.
    pub cells: usize,
}

/// Name, decisions and scale of a search space: the parts that every space has.
#[derive(Debug, Clone)]
pub struct SpaceInfo {
    /// Name under which the space is registered.
    pub name: &'static str,
    /// Decisions of an architecture, in the order of its choices.
    pub decisions: Vec<Decision>,
    /// Size of the networks.
    pub scale: Scale,
}

/// Failure to read an architecture: a text or a list of choices that does not belong to the space.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("architecture `{}` is not in space {space}: {problem}; an example is `{example}`", quote_start(text))]
pub struct ArchError {
    /// Name of the space.
    pub space: String,
    /// Text or choices that were given.
    pub text: String,
    /// Difference from a valid architecture.
    pub problem: String,
    /// A valid architecture of the space.
    pub example: String,
}

/// A set of architectures: its decisions, the notation of an architecture, and its networks ([`BuildNetwork`]). Holds
/// no tensors.
pub trait SearchSpace: BuildNetwork + Send + Sync {
    /// Name, decisions and scale of the space.
    fn info(&self) -> &SpaceInfo;

    /// Name under which the space is registered.
    fn name(&self) -> &str {
        self.info().name
    }

    /// Decisions of an architecture, in the order of its choices.
    fn decisions(&self) -> &[Decision] {
        &self.info().decisions
    }

    /// Size of the networks.
    fn scale(&self) -> &Scale {
        &self.info().scale
    }

    /// Reads an architecture in the notation of the benchmark that defines the space.
    ///
    /// # Errors
    /// Text that describes no architecture of this space.
    fn parse(&self, text: &str) -> Result<Arch, ArchError>;

    /// Writes a valid architecture in the notation that [`parse`](Self::parse) reads.
    fn format(&self, arch: &Arch) -> String;

    /// The network of one architecture for training with weights of its own, for
    /// [`NetworkSpec::stand_alone`](crate::network::NetworkSpec::stand_alone). A space may accept published
    /// architectures that are not in the space, such as `nasnet_a` in `darts`. `auxiliary` adds the auxiliary head of
    /// spaces that define one.
    ///
    /// # Errors
    /// Text that describes no such architecture.
    fn stand_alone(&self, text: &str, _auxiliary: bool) -> Result<Box<dyn BuildNetwork + Send + Sync + '_>, ArchError> {
        Ok(Box::new(SingleArch { space: self, arch: self.parse(text)? }))
    }

    /// The genotype that `text` describes, for drawings and reports; `None` for spaces and text without cells.
    fn parse_genotype(&self, _text: &str) -> Option<Genotype> {
        None
    }

    /// Returns a text that is equal for architectures that compute the same function. By default, this is the text of
    /// the architecture itself.
    fn canonical(&self, arch: &Arch) -> String {
        self.format(arch)
    }

    /// Checks number and range of the choices.
    ///
    /// # Errors
    /// A wrong number of choices, or a choice out of range.
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

    /// Draws an architecture uniformly at random.
    fn sample(&self, rng: &mut dyn RngCore) -> Arch {
        let choose = |d: &Decision| rng.random_range(0..d.choices.len());
        Arch::new(self.decisions().iter().map(choose).collect::<Vec<_>>())
    }

    /// Number of architectures, at most `u64::MAX`.
    fn count(&self) -> u64 {
        self.decisions().iter().fold(1, |n: u64, d| n.saturating_mul(d.choices.len() as u64))
    }

    /// Architecture number `index`, which must be below [`count`](Self::count). Architectures are numbered in mixed
    /// radix: the choice of the last decision changes first.
    fn nth(&self, mut index: u64) -> Arch {
        let mut choices = vec![0; self.decisions().len()];
        for (choice, decision) in choices.iter_mut().zip(self.decisions()).rev() {
            let radix = decision.choices.len() as u64;
            *choice = (index % radix) as usize;
            index /= radix;
        }
        Arch::new(choices)
    }

    /// Number of a valid architecture; the inverse of [`nth`](Self::nth).
    fn index(&self, arch: &Arch) -> u64 {
        arch.choices().iter().zip(self.decisions()).fold(0, |index: u64, (choice, d)| {
            index.saturating_mul(d.choices.len() as u64).saturating_add(*choice as u64)
        })
    }

    /// Draws `n` distinct architectures in random order; `n` must be at most [`count`](Self::count). If `n` is the
    /// number of all architectures, the result is in index order.
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

    /// Builds the error for `text`, with the last architecture of the space as an example.
    fn error(&self, text: &str, problem: String) -> ArchError {
        ArchError {
            space: self.name().into(),
            text: text.into(),
            problem,
            example: self.format(&self.nth(self.count() - 1)),
        }
    }
}

/// One architecture of a space as a network without decisions.
struct SingleArch<'a, S: ?Sized> {
    space: &'a S,
    arch: Arch,
}

impl<S: SearchSpace + ?Sized> BuildNetwork for SingleArch<'_, S> {
    fn build_network(&self, net: &mut NetworkBuilder<'_>, _: ChoiceSet<'_>) -> Result<Value, NetworkError> {
        self.space.build_network(net, ChoiceSet::One(&self.arch))
    }
}

/// Checks that the number of cells is 1, for spaces whose depth is fixed.
fn without_cells(space: &str, scale: Scale) -> Result<Scale, SpaceError> {
    match scale.cells {
        1 => Ok(scale),
        n => Err(SpaceError::Cells(format!(
            "space {space} has a fixed depth: expected space.cells = 1, found {n}; leave space.cells (--cells) out"
        ))),
    }
}

/// Reads an architecture that is written as one digit per decision, `012`, or as a list of these digits, `[0, 1, 2]`.
fn parse_digits(space: &dyn SearchSpace, text: &str) -> Result<Arch, ArchError> {
    let digits = || text.trim().chars().map(|c| c.to_digit(10).map(|d| d as usize)).collect();
    let choices: Option<Vec<usize>> = index_list(text).or_else(digits);
    let choices = choices.ok_or_else(|| space.error(text, "expected only digits".into()))?;
    let arch = Arch::new(choices);
    space.validate(&arch).map_err(|e| space.error(text, e.problem))?;
    Ok(arch)
}

/// The numbers of a list of choices: `[0, 3, 1]`, `(0, 3, 1)`, `0, 3, 1` or `0 3 1`. `None` for another notation, a
/// single number included.
fn index_list(text: &str) -> Option<Vec<usize>> {
    let text = text.trim();
    let inside = |start: char, end: char| text.strip_prefix(start)?.strip_suffix(end);
    let inner = inside('[', ']').or_else(|| inside('(', ')')).unwrap_or(text).trim();
    let number = |part: &str| part.trim().parse().ok();
    let numbers: Vec<usize> = match inner.contains(',') {
        true => inner.split(',').map(number).collect::<Option<_>>()?,
        false => inner.split_whitespace().map(number).collect::<Option<_>>()?,
    };
    (numbers.len() > 1).then_some(numbers)
}

/// Writes an architecture as one digit per decision.
fn format_digits(arch: &Arch) -> String {
    arch.choices().iter().map(ToString::to_string).collect()
}
