//! Prefix trees: equal prefixes of several programs run once.

use super::{Instr, LayerId, Program};

/// Several programs merged into a tree by their equal prefixes; its instructions are in depth-first order.
///
/// Programs with equal first instructions compute equal values there, so these values are computed once. A value is
/// kept only while the walk is below its instruction: at most the values on one path from the root to a leaf are alive
/// at once. For a chain of `L` layers with `m` choices each, all `m^L` architectures need `m + m^2 + ... + m^L`
/// evaluations of a layer instead of `L m^L`. For eight layers with three choices, that is 9,840 instead of 52,488.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixTree {
    steps: Vec<TreeStep>,
}

/// One instruction of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeStep {
    /// Operation and inputs. Value 0 is the input of the network, value `i + 1` the result of step `i`.
    pub instr: Instr,
    /// Weight set of the layer.
    pub set: usize,
    /// Numbers of the programs whose class scores are the result.
    pub ends: Vec<usize>,
    /// Values that can be freed after this step: no later step reads them.
    pub free: Vec<usize>,
}

/// A node during construction; node 0 is the input.
struct Node<'a> {
    instr: Option<&'a Instr>,
    set: usize,
    depth: usize,
    children: Vec<usize>,
    ends: Vec<usize>,
}

impl PrefixTree {
    /// Merges programs. `bind(program, layer)` is the weight set that a program uses at a layer; instructions with
    /// different weight sets are different. Programs without instructions do not appear in the tree.
    pub fn new(programs: &[Program], bind: &dyn Fn(usize, LayerId) -> usize) -> Self {
        let mut nodes = vec![Node { instr: None, set: 0, depth: 0, children: Vec::new(), ends: Vec::new() }];
        for (number, program) in programs.iter().enumerate() {
            let mut at = 0;
            for instr in &program.instrs {
                let set = instr.op.layer().map_or(0, |layer| bind(number, layer));
                // Below the same node, equal input numbers mean equal values, so instructions can be compared directly.
                let same = |child: &&usize| nodes[**child].instr == Some(instr) && nodes[**child].set == set;
                at = nodes[at].children.iter().find(same).copied().unwrap_or_else(|| {
                    let (new, depth) = (nodes.len(), nodes[at].depth + 1);
                    nodes.push(Node { instr: Some(instr), set, depth, children: Vec::new(), ends: Vec::new() });
                    nodes[at].children.push(new);
                    new
                });
            }
            nodes[at].ends.push(number);
        }
        Self::walk(nodes)
    }

    /// Steps in the order of execution.
    pub fn steps(&self) -> &[TreeStep] {
        &self.steps
    }

    /// Lists the nodes in depth-first order; children are in the order of the programs.
    fn walk(mut nodes: Vec<Node<'_>>) -> Self {
        let mut steps: Vec<TreeStep> = Vec::with_capacity(nodes.len() - 1);
        // Values of the nodes on the path from the root to the current node.
        let mut path = vec![0];
        let mut to_do: Vec<usize> = nodes[0].children.iter().rev().copied().collect();
        while let Some(at) = to_do.pop() {
            let node = &mut nodes[at];
            let Some(instr) = node.instr else { continue };
            path.truncate(node.depth);
            let inputs = instr.inputs.iter().map(|input| path[*input]).collect();
            path.push(steps.len() + 1);
            let instr = Instr { op: instr.op.clone(), inputs };
            steps.push(TreeStep { instr, set: node.set, ends: std::mem::take(&mut node.ends), free: Vec::new() });
            to_do.extend(node.children.iter().rev());
        }
        let mut read = vec![false; steps.len() + 1];
        for (i, step) in steps.iter_mut().enumerate().rev() {
            for value in step.instr.inputs.iter().copied().chain([i + 1]) {
                if !std::mem::replace(&mut read[value], true) {
                    step.free.push(value);
                }
            }
        }
        Self { steps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Arch;
    use crate::network::{NetworkSpec, Op};
    use crate::space::{NasBench201, NasBenchMacro, Scale, SearchSpace};
    use std::collections::BTreeSet;

    fn scale(side: usize, width: usize) -> Scale {
        Scale { image: [side, side, 3], classes: 10, width, cells: 1 }
    }

    fn programs(space: &dyn SearchSpace, archs: impl Iterator<Item = Arch>) -> Vec<Program> {
        let supernet = NetworkSpec::supernet(space).unwrap();
        archs.map(|arch| supernet.program(space, &arch).unwrap()).collect()
    }

    fn all(space: &dyn SearchSpace) -> Vec<Program> {
        programs(space, (0..space.count()).map(|index| space.nth(index)))
    }

    /// Replays which values exist; returns the largest number of them.
    fn most_live(tree: &PrefixTree) -> usize {
        let mut live: BTreeSet<usize> = [0].into();
        let mut most = 1;
        for (at, step) in tree.steps().iter().enumerate() {
            assert!(step.instr.inputs.iter().all(|input| live.contains(input)), "{step:?} reads a freed value");
            live.insert(at + 1);
            most = most.max(live.len());
            step.free.iter().for_each(|value| assert!(live.remove(value), "{step:?} frees twice"));
        }
        assert!(live.is_empty());
        most
    }

    /// Layer `i` (from 0) is evaluated once for each of the `3^i` beginnings, with each of its three choices. A choice
    /// is 0 or 1 instructions (identity) or 3 and a sum at stride 1 (inverted residual), the head four, the stem one.
    #[test]
    fn the_whole_macro_space_takes_9840_layers_instead_of_52488() {
        let space = NasBenchMacro::new(scale(8, 1));
        let programs = all(&space);
        let tree = PrefixTree::new(&programs, &|_, _| 0);
        let in_layer = |i| if [0, 2, 5].contains(&i) { 1 + 3 + 3 } else { 4 + 4 };
        let layers: usize = (0..8).map(|i| 3_usize.pow(i as u32) * in_layer(i)).sum();
        assert_eq!(tree.steps().len(), 1 + layers + 4 * 6561);
        assert_eq!((1..=8).map(|i| 3_usize.pow(i)).sum::<usize>(), 9840);
        let one_by_one: usize = programs.iter().map(|program| program.instrs.len()).sum();
        assert_eq!(one_by_one, 6561 * 5 + 2187 * (0..8).map(in_layer).sum::<usize>());

        let ends: Vec<usize> = tree.steps().iter().flat_map(|step| step.ends.iter().copied()).collect();
        assert!(ends.iter().copied().eq(0..6561), "programs in lexicographic order end in that order");
        // The input of each of the eight layers and what is in the work below it.
        assert!(most_live(&tree) <= 8 + 3, "{}", most_live(&tree));
    }

    #[test]
    fn every_program_is_on_the_way_to_its_end() {
        let space = NasBench201::new(scale(8, 2));
        let programs = programs(&space, (0..500).map(|i| space.nth(i * 7919 % space.count())));
        let tree = PrefixTree::new(&programs, &|_, _| 0);
        let mut seen = 0;
        for (at, step) in tree.steps().iter().enumerate() {
            for number in &step.ends {
                let mut ops: Vec<&Op> = Vec::new();
                let mut needed = vec![at + 1];
                while let Some(value) = needed.pop().filter(|value| *value > 0) {
                    ops.push(&tree.steps()[value - 1].instr.op);
                    needed.extend(&tree.steps()[value - 1].instr.inputs);
                    needed.sort_unstable();
                    needed.dedup();
                }
                // Pruned programs hold exactly what their end depends on, in order.
                ops.reverse();
                assert!(programs[*number].instrs.iter().map(|instr| &instr.op).eq(ops));
                seen += 1;
            }
        }
        assert_eq!(seen, 500);
        let one_by_one: usize = programs.iter().map(|program| program.instrs.len()).sum();
        assert!(tree.steps().len() < one_by_one);
        let longest = programs.iter().map(|program| program.instrs.len()).max().unwrap();
        assert!(most_live(&tree) <= longest + 1);
    }

    #[test]
    fn equal_programs_share_their_end_unless_they_bind_other_weights() {
        let space = NasBenchMacro::new(scale(4, 1));
        let programs = programs(&space, [5, 5, 5].into_iter().map(|index| space.nth(index)));
        let length = programs[0].instrs.len();
        let tree = PrefixTree::new(&programs, &|_, _| 0);
        assert_eq!(tree.steps().len(), length);
        assert_eq!(tree.steps()[length - 1].ends, [0, 1, 2]);

        let Op::Layer(classifier) = programs[0].instrs[length - 1].op else { panic!("the last one is linear") };
        let tree = PrefixTree::new(&programs, &|program, layer| usize::from(program == 1 && layer == classifier));
        assert_eq!(tree.steps().len(), length + 1);
        assert_eq!((&tree.steps()[length - 1].ends[..], &tree.steps()[length].ends[..]), (&[0, 2][..], &[1][..]));
        assert_eq!(tree.steps()[length].set, 1);
        most_live(&tree);
    }

    #[test]
    fn no_programs_are_an_empty_tree() {
        assert!(PrefixTree::new(&[], &|_, _| 0).steps().is_empty());
    }
}
