//! The truth table of a search space in memory.

use std::collections::BTreeMap;

/// The stand-alone accuracy of one architecture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TruthEntry {
    /// Mean over seeds, in percent.
    pub accuracy: f64,
    /// Number of seeds; `None` if the source does not publish it.
    pub seeds: Option<usize>,
}

/// Stand-alone accuracies of architectures of one space.
#[derive(Clone, Debug, PartialEq)]
pub struct TruthTable {
    /// The search space.
    pub space: String,
    /// `benchmark/column` of an embedded table, or the path of a file.
    pub name: String,
    /// By the text of the architecture, as the space prints it.
    pub(crate) entries: BTreeMap<String, TruthEntry>,
    /// SHA-256 of the embedded or loaded bytes, in hexadecimal.
    pub sha256: String,
    /// Origin of the values, for reports.
    pub source: String,
}

impl TruthTable {
    /// The accuracy of an architecture, given as the space prints it.
    pub fn get(&self, arch: &str) -> Option<TruthEntry> {
        self.entries.get(arch).copied()
    }

    /// The number of architectures.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the table has no architectures. Tables from files have at least one.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All architectures, sorted by text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, TruthEntry)> {
        self.entries.iter().map(|(arch, &entry)| (arch.as_str(), entry))
    }

    /// The architecture of the highest accuracy; of equal ones, the first by text.
    pub fn best(&self) -> Option<(&str, TruthEntry)> {
        self.iter().reduce(|best, next| if next.1.accuracy > best.1.accuracy { next } else { best })
    }
}
