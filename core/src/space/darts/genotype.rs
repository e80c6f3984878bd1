//! Genotypes: the architectures of a normal and a reduction cell.

use super::CellOp;
use std::fmt;

/// Number of input nodes of a cell: the outputs of the two cells before it.
pub const INPUTS: usize = 2;

/// An edge of a cell: an operation on an earlier node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CellEdge {
    /// Operation of the edge.
    pub op: CellOp,
    /// The node that the edge comes from.
    pub from: usize,
}

/// A cell. Nodes 0 and 1 are its inputs, and each further node is the sum of two edges. Its output is the concatenation
/// of some nodes on channels.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CellGenotype {
    /// The edges of the nodes from node 2 on.
    pub nodes: Vec<[CellEdge; 2]>,
    /// The nodes of the output, in the order of their channels.
    pub concat: Vec<usize>,
}

/// A normal cell and a reduction cell. [`Genotype::parse`] reads and `Display` writes the text form of DARTS:
///
/// ```text
/// Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), ...], normal_concat=range(2, 6), reduce=[...], ...)
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Genotype {
    /// The cell that keeps height and width.
    pub normal: CellGenotype,
    /// The cell that halves height and width.
    pub reduce: CellGenotype,
}

impl CellGenotype {
    /// The intermediate nodes: those that sum two edges.
    pub fn intermediate_nodes(&self) -> std::ops::Range<usize> {
        INPUTS..INPUTS + self.nodes.len()
    }

    /// Checks that edges come from earlier nodes and that the output consists of intermediate nodes, each once. `name`
    /// is the name of the cell in messages.
    pub(super) fn check(&self, name: &str) -> Result<(), String> {
        for (node, edges) in self.intermediate_nodes().zip(&self.nodes) {
            if let Some(edge) = edges.iter().find(|edge| edge.from >= node) {
                let (last, from) = (node - 1, edge.from);
                return Err(format!("{name}: node {node} has predecessor {from}, expected a node from 0 to {last}"));
            }
        }
        let inner = self.intermediate_nodes();
        let (first, last) = (inner.start, inner.end.saturating_sub(1));
        if let Some(node) = self.concat.iter().find(|node| !inner.contains(node)) {
            return Err(format!("{name}_concat contains node {node}, expected nodes from {first} to {last}"));
        }
        if self.concat.is_empty() {
            return Err(format!("{name}_concat is empty, expected some of the nodes {first} to {last}"));
        }
        match self.concat.iter().enumerate().find(|(i, node)| self.concat[..*i].contains(node)) {
            Some((_, node)) => Err(format!("{name}_concat contains node {node} twice")),
            None => Ok(()),
        }
    }

    fn write(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let edges = self.nodes.iter().flatten().map(|edge| format!("('{}', {})", edge.op.name(), edge.from));
        write!(f, "{name}=[{}], {name}_concat=", edges.collect::<Vec<_>>().join(", "))?;
        let first = self.concat.first().copied().unwrap_or(0);
        if self.concat.iter().copied().eq(first..first + self.concat.len()) {
            write!(f, "range({first}, {})", first + self.concat.len())
        } else {
            write!(f, "{:?}", self.concat)
        }
    }
}

impl fmt::Display for Genotype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Genotype(")?;
        self.normal.write("normal", f)?;
        f.write_str(", ")?;
        self.reduce.write("reduce", f)?;
        f.write_str(")")
    }
}
