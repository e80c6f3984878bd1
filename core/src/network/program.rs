//! The program of an architecture: which operations run on which values.

use super::LayerId;
use nas_ops::PoolSpec;

/// One operation of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// A layer with parameters or statistics.
    Layer(LayerId),
    /// A pool.
    Pool(PoolSpec),
    /// `max(x, 0)`.
    Relu,
    /// Mean over height and width.
    GlobalAvgPool,
    /// Sum of all inputs.
    Sum,
    /// Concatenation of all inputs on channels.
    Concat,
    /// Zeros of `[h, w, c]`, one image for each of the input's.
    Zeros([usize; 3]),
}

impl Op {
    /// The layer, if it is one.
    pub fn layer(&self) -> Option<LayerId> {
        match self {
            Self::Layer(layer) => Some(*layer),
            _ => None,
        }
    }
}

/// An operation and the values it reads. Value 0 is the network's input, value `i + 1` the result of instruction `i`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instr {
    /// What to compute.
    pub op: Op,
    /// From which values.
    pub inputs: Vec<usize>,
}

/// What an architecture runs, without the branches that do not reach its output, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The instructions; the last one's result is the class scores.
    pub instrs: Vec<Instr>,
    /// For each value, the last instruction that reads it.
    pub last_use: Vec<usize>,
    /// The layers that run, ascending.
    pub layers: Vec<LayerId>,
    /// Parameters of the architecture, those of dead branches included (as benchmark tables count them).
    pub params: u64,
    /// Multiply-adds of its convolutions and linear layers for one image, those of dead branches included.
    pub macs: u64,
}

impl Program {
    /// Keeps what `output` depends on.
    pub(super) fn prune(instrs: Vec<Instr>, output: usize, params: u64, macs: u64) -> Self {
        let mut live = vec![false; instrs.len() + 1];
        live[output] = true;
        for (i, instr) in instrs.iter().enumerate().rev().filter(|(i, _)| *i < output) {
            if live[i + 1] {
                instr.inputs.iter().for_each(|input| live[*input] = true);
            }
        }
        let mut renamed = vec![0; instrs.len() + 1];
        let mut kept: Vec<Instr> = Vec::new();
        for (i, mut instr) in instrs.into_iter().enumerate().filter(|(i, _)| live[i + 1]) {
            instr.inputs.iter_mut().for_each(|input| *input = renamed[*input]);
            kept.push(instr);
            renamed[i + 1] = kept.len();
        }
        let mut last_use = vec![0; kept.len() + 1];
        let mut layers = Vec::new();
        for (i, instr) in kept.iter().enumerate() {
            instr.inputs.iter().for_each(|input| last_use[*input] = i);
            layers.extend(instr.op.layer());
        }
        layers.sort_unstable();
        Self { instrs: kept, last_use, layers, params, macs }
    }
}

/// How many instructions several programs begin with in common, at least one less than any has; none for one program.
/// `bind(program, layer)` is the weight set that a program uses at a layer.
pub(super) fn common_beginning(programs: &[Program], bind: &dyn Fn(usize, LayerId) -> usize) -> usize {
    let [first, rest @ ..] = programs else { return 0 };
    let shared = |number: usize, other: &Program| {
        let same = |(a, b): &(&Instr, &Instr)| {
            a == b && a.op.layer().is_none_or(|layer| bind(0, layer) == bind(number, layer))
        };
        let length = first.instrs.iter().zip(&other.instrs).take_while(same).count();
        length.min(first.instrs.len().saturating_sub(1)).min(other.instrs.len().saturating_sub(1))
    };
    rest.iter().enumerate().map(|(i, other)| shared(i + 1, other)).min().unwrap_or(0)
}
