//! Decisions about topology: attention over the earlier nodes of a cell, as in ENAS.

use super::lstm::Matrix;
use crate::space::{Decision, DecisionRole};
use dfdx::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Names of the parameters that all decisions about topology share, with their shapes for an LSTM of width `hidden`.
pub(super) fn shapes(hidden: usize) -> [(&'static str, (usize, usize)); 3] {
    [("attention.key", (hidden, hidden)), ("attention.query", (hidden, hidden)), ("attention.vector", (hidden, 1))]
}

/// Nodes that are predecessors without a decision of their own, such as the inputs of a cell.
pub(super) fn inputs(decisions: &[Decision]) -> BTreeSet<usize> {
    let (mut decided, mut inputs) = (BTreeSet::new(), BTreeSet::new());
    for decision in decisions {
        let DecisionRole::Topology { node, predecessors } = &decision.role else { continue };
        decided.retain(|earlier| earlier < node);
        inputs.extend(predecessors.iter().flatten().filter(|from| !decided.contains(*from)));
        decided.insert(*node);
    }
    inputs
}

/// The vectors `h_j` of the nodes of the current cell: learned ones for its inputs. For another node, the output of the
/// LSTM after it has read all choices of the node.
#[derive(Clone)]
pub(super) struct Anchors {
    inputs: BTreeMap<usize, Matrix>,
    nodes: BTreeMap<usize, Matrix>,
    /// Node of the last topology decision. The next decision adds its anchor, after the LSTM has read the choices of
    /// the node.
    open: Option<usize>,
}

impl Anchors {
    pub(super) fn new(inputs: BTreeMap<usize, Matrix>) -> Self {
        Self { nodes: inputs.clone(), inputs, open: None }
    }

    /// Begins the decision about the predecessors of `node`, at which the LSTM has the output `h`.
    pub(super) fn begin<T: Tape<f32, Cpu>>(&mut self, node: usize, h: &Matrix<T>) {
        match self.open.replace(node) {
            Some(last) if last < node => drop(self.nodes.insert(last, h.retaped::<NoneTape>())),
            _ => self.nodes = self.inputs.clone(),
        }
    }

    /// The anchors of all nodes as rows, `[nodes, hidden]`.
    fn rows<T: Tape<f32, Cpu>>(&self) -> Result<Matrix<T>, CpuError> {
        let mut nodes = self.nodes.values();
        let first = nodes.next().map(|node| node.retaped::<T>());
        let first = first.unwrap_or_else(|| unreachable!("a predecessor is an input or an earlier node"));
        nodes.try_fold(first, |rows, node| (rows, node.retaped::<T>()).try_concat_along(Axis::<0>))
    }

    /// How often each node is among some predecessors, `[choices, nodes]`.
    fn counts(&self, choices: &[Vec<usize>]) -> Result<Matrix, CpuError> {
        let count = |node: &usize, choice: &Vec<usize>| choice.iter().filter(|from| *from == node).count() as f32;
        let rows = choices.iter().flat_map(|choice| self.nodes.keys().map(move |node| count(node, choice)));
        Cpu::default().try_tensor_from_vec(rows.collect(), (choices.len(), self.nodes.len()))
    }

    /// The logits `[1, choices]` of a decision: for each choice, the sum over its predecessors `j` of
    ///
    /// ```text
    /// v^T tanh(W1 h_j + W2 h)
    /// ```
    pub(super) fn logits<T: Tape<f32, Cpu>>(
        &self,
        h: Matrix<T>,
        choices: &[Vec<usize>],
        [key, query, vector]: [&Matrix; 3],
    ) -> Result<Matrix<T>, CpuError> {
        let keys = self.rows::<T>()?.try_matmul(key.clone())?;
        let ones: Matrix = Cpu::default().try_tensor_from_vec(vec![1.0; self.nodes.len()], (self.nodes.len(), 1))?;
        let queries = ones.put_tape(T::default()).try_matmul(h.try_matmul(query.clone())?)?;
        let scores = keys.try_add(queries)?.try_tanh()?.try_matmul(vector.clone())?;
        let sums = self.counts(choices)?.put_tape(T::default()).try_matmul(scores)?;
        sums.try_reshape_like(&(1, choices.len()))
    }

    /// The input of the LSTM after a decision: the sum of the anchors of the chosen predecessors.
    pub(super) fn chosen<T: Tape<f32, Cpu>>(&self, choice: &[usize]) -> Result<Matrix<T>, CpuError> {
        self.counts(&[choice.to_vec()])?.put_tape(T::default()).try_matmul(self.rows::<T>()?)
    }
}
