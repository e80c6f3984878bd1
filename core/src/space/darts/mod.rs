//! DARTS: a normal and a reduction cell of four nodes with two edges each (Liu et al., ICLR 2019).

mod genotype;
mod network;
mod operations;
mod published;
#[cfg(test)]
mod tests;
mod text;

pub use genotype::{CellEdge, CellGenotype, Genotype};
pub use network::{CellNetwork, Stem};
pub use operations::CellOp;

use super::{ArchError, Decision, DecisionRole, Scale, SearchSpace, SpaceDescriptor, SpaceError, SpaceInfo};
use crate::arch::Arch;
use crate::network::{BuildNetwork, ChoiceSet, NetworkBuilder, NetworkError, Value};
use crate::options::{example, parse_options};
use genotype::INPUTS;
use network::{Outline, WiredCell};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Table;

/// The operations of the space, in index order, without `none`.
const OPS: [CellOp; 7] = [
    CellOp::MaxPool3x3,
    CellOp::AvgPool3x3,
    CellOp::SkipConnect,
    CellOp::SepConv3x3,
    CellOp::SepConv5x5,
    CellOp::DilConv3x3,
    CellOp::DilConv5x5,
];

/// Nodes of a cell that have edges: nodes 2 to 5.
const NODES: usize = 4;

/// Decisions of a node: its predecessors, and the operations of its two edges.
const PER_NODE: usize = 3;

/// The predecessors that a node may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Predecessors {
    /// Two different nodes, as in DARTS.
    Distinct,
    /// Any two nodes, also the same one twice, as in ENAS.
    WithReplacement,
}

/// Options of `darts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DartsOptions {
    /// Whether an edge may have the operation `none` (zeros). DINAS keeps it in its list of operations; DARTS uses it
    /// during the search only.
    none: bool,
    /// The two predecessors of a node.
    predecessors: Predecessors,
    /// The layers before the first cell.
    stem: Stem,
}

impl Default for DartsOptions {
    fn default() -> Self {
        Self { none: false, predecessors: Predecessors::Distinct, stem: Stem::Auto }
    }
}

/// The space, the one that DINAS searches. An architecture consists of a normal and a reduction cell, written as
/// `Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=range(2, 6), reduce=[...], reduce_concat=range(2, 6))`.
///
/// Nodes 0 and 1 of a cell are the outputs of the two cells before it. Nodes 2 to 5 are sums of two edges, each with
/// one of seven operations (eight with `none`) on an earlier node. The output is the concatenation of nodes 2 to 5.
///
/// The network is a 3x3 convolution to `3 width` channels (or the ImageNet stem of three convolutions of stride 2),
/// then `cells` cells with `width` channels per node, global average pool and a linear layer. Cells number `cells / 3`
/// and `2 cells / 3`, counted from 0, are reduction cells: they halve height and width and double the channels. Odd
/// sizes are rounded up. All normal cells have the same architecture, as do both reduction cells, and each cell has its
/// own weights. In the supernet, weights belong to an edge and an operation, so two architectures share the weights of
/// an operation if they use it on the same edge. DARTS searches with `width = 16` and `cells = 8`.
#[derive(Debug, Clone)]
pub struct Darts {
    info: SpaceInfo,
    options: DartsOptions,
    ops: Vec<CellOp>,
}

impl Darts {
    /// The space at this scale, with default options.
    pub fn new(scale: Scale) -> Self {
        Self::with_options(scale, DartsOptions::default())
    }

    fn with_options(scale: Scale, options: DartsOptions) -> Self {
        let ops: Vec<CellOp> = options.none.then_some(CellOp::None).into_iter().chain(OPS).collect();
        let names = || ops.iter().map(|op| op.name());
        let mut decisions = Vec::new();
        for cell in ["normal", "reduce"] {
            for node in INPUTS..INPUTS + NODES {
                let pairs = pairs(node, options.predecessors);
                decisions.push(Decision {
                    name: format!("{cell} node {node}: predecessors"),
                    choices: pairs.iter().map(|[a, b]| format!("{a} and {b}")).collect(),
                    role: DecisionRole::Topology {
                        node,
                        predecessors: pairs.iter().map(|pair| pair.to_vec()).collect(),
                    },
                });
                for edge in ["first", "second"] {
                    decisions.push(Decision::operation(format!("{cell} node {node}: {edge} operation"), names()));
                }
            }
        }
        Self { info: SpaceInfo { name: "darts", decisions, scale }, options, ops }
    }

    /// The cells of an architecture.
    pub fn genotype(&self, arch: &Arch) -> Genotype {
        let (normal, reduce) = arch.choices().split_at(NODES * PER_NODE);
        Genotype { normal: self.cell(normal), reduce: self.cell(reduce) }
    }

    fn cell(&self, choices: &[usize]) -> CellGenotype {
        let node = |(number, choices): (usize, &[usize; PER_NODE])| {
            let from = pairs(INPUTS + number, self.options.predecessors)[choices[0]];
            [0, 1].map(|edge| CellEdge { op: self.ops[choices[1 + edge]], from: from[edge] })
        };
        let nodes = choices.as_chunks().0.iter().enumerate().map(node).collect();
        CellGenotype { nodes, concat: (INPUTS..INPUTS + NODES).collect() }
    }

    /// The architecture of a genotype; the order of the two edges of a node does not matter.
    ///
    /// # Errors
    /// The first property of the genotype that no architecture of the space has.
    fn arch(&self, genotype: &Genotype) -> Result<Arch, String> {
        let mut choices = Vec::new();
        for (name, cell) in [("normal", &genotype.normal), ("reduce", &genotype.reduce)] {
            let edges = 2 * cell.nodes.len();
            if cell.nodes.len() != NODES {
                return Err(format!("{name} has {edges} edges, expected {}: two for each of {NODES} nodes", 2 * NODES));
            }
            let mut concat = cell.concat.clone();
            concat.sort_unstable();
            if concat.into_iter().ne(cell.intermediate_nodes()) {
                return Err(format!("{name}_concat is {:?}, expected range(2, 6)", cell.concat));
            }
            for (node, edges) in cell.intermediate_nodes().zip(&cell.nodes) {
                choices.extend(self.node(name, node, edges)?);
            }
        }
        Ok(Arch::new(choices))
    }

    fn node(&self, cell: &str, node: usize, edges: &[CellEdge; 2]) -> Result<[usize; PER_NODE], String> {
        let mut edges = *edges;
        edges.sort_by_key(|edge| edge.from);
        let from = edges.map(|edge| edge.from);
        let pair =
            pairs(node, self.options.predecessors).into_iter().position(|pair| pair == from).ok_or_else(|| {
                let remedy = "set space.predecessors = \"with_replacement\" to allow it";
                format!("{cell}: node {node} has predecessor {} twice, expected two different ones; {remedy}", from[0])
            })?;
        let mut choices = [pair, 0, 0];
        for (choice, edge) in choices[1..].iter_mut().zip(edges) {
            *choice = self.ops.iter().position(|op| *op == edge.op).ok_or_else(|| match edge.op {
                CellOp::None => format!("{cell}: node {node} has `none`; set space.none = true to allow it"),
                op => format!("{cell}: node {node} has `{}`, which occurs in published cells only", op.name()),
            })?;
        }
        Ok(choices)
    }

    fn outline(&self) -> Outline {
        Outline { scale: self.info.scale, stem: self.options.stem, auxiliary: false }
    }

    /// All edges of the space.
    fn whole_cell(&self) -> WiredCell {
        let edges =
            |node| (0..node).flat_map(|from| self.ops.iter().map(move |op| CellEdge { op: *op, from })).collect();
        WiredCell { nodes: (INPUTS..INPUTS + NODES).map(edges).collect(), concat: (INPUTS..INPUTS + NODES).collect() }
    }
}

/// The pairs of predecessors of a node, in lexicographic order.
fn pairs(node: usize, predecessors: Predecessors) -> Vec<[usize; 2]> {
    let first = usize::from(predecessors == Predecessors::Distinct);
    (0..node).flat_map(|a| (a + first..node).map(move |b| [a, b])).collect()
}

impl SearchSpace for Darts {
    fn info(&self) -> &SpaceInfo {
        &self.info
    }

    fn parse(&self, text: &str) -> Result<Arch, ArchError> {
        let genotype = Genotype::parse(text).map_err(|problem| self.error(text, problem))?;
        self.arch(&genotype).map_err(|problem| {
            let remedy = "only `nas-train retrain` and `nas-train describe arch` accept cells outside of the space";
            self.error(text, format!("{problem}; {remedy}"))
        })
    }

    fn format(&self, arch: &Arch) -> String {
        self.genotype(arch).to_string()
    }

    /// The text with the two operations of a node in index order, if both edges have the same predecessor. Otherwise
    /// the order of predecessors already determines the order of the edges.
    fn canonical(&self, arch: &Arch) -> String {
        let mut choices = arch.choices().to_vec();
        for (decisions, node) in self.info.decisions.as_chunks::<PER_NODE>().0.iter().zip(choices.as_chunks_mut().0) {
            let [pair, ops @ ..]: &mut [usize; PER_NODE] = node;
            if let DecisionRole::Topology { predecessors, .. } = &decisions[0].role
                && predecessors[*pair][0] == predecessors[*pair][1]
            {
                ops.sort_unstable();
            }
        }
        self.format(&Arch::new(choices))
    }

    fn stand_alone(&self, text: &str, auxiliary: bool) -> Result<Box<dyn BuildNetwork + Send + Sync + '_>, ArchError> {
        let genotype = Genotype::parse(text).map_err(|problem| self.error(text, problem))?;
        Ok(Box::new(CellNetwork::new(&genotype, self.info.scale, self.options.stem, auxiliary)))
    }

    fn parse_genotype(&self, text: &str) -> Option<Genotype> {
        Genotype::parse(text).ok()
    }

    /// The error for `text`, with a short example.
    fn error(&self, text: &str, problem: String) -> ArchError {
        ArchError { space: "darts".into(), text: text.into(), problem, example: "darts_v2".into() }
    }
}

impl BuildNetwork for Darts {
    fn build_network(&self, net: &mut NetworkBuilder<'_>, choices: ChoiceSet<'_>) -> Result<Value, NetworkError> {
        match choices {
            ChoiceSet::All => self.outline().build_network(net, &[self.whole_cell(), self.whole_cell()]),
            ChoiceSet::One(arch) => CellNetwork::new(&self.genotype(arch), self.info.scale, self.options.stem, false)
                .build_network(net, choices),
        }
    }
}

inventory::submit! {
    SpaceDescriptor {
        name: "darts",
        summary: "normal and reduction cells of four nodes with two edges and seven operations; the space of DINAS",
        reference: "Liu et al., DARTS: Differentiable Architecture Search, ICLR 2019",
        width: 16,
        cells: 8,
        options: || example(&DartsOptions::default()),
        build: |scale, options: &Table| match scale.cells {
            0..3 => Err(SpaceError::Cells(format!(
                "space darts requires at least 3 cells (--cells), found {}: with fewer there is no normal cell",
                scale.cells
            ))),
            _ => Ok(Box::new(Darts::with_options(scale, parse_options("space", options)?))),
        },
    }
}
