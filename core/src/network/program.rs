//! Programs: the operations of an architecture and the values on which they run.

use super::LayerId;
use nas_ops::PoolSpec;

/// One operation of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// A layer of the network.
    Layer(LayerId),
    /// Average or maximum pooling.
    Pool(PoolSpec),
    /// Drop path: in training, zeros for a random part of the images, and larger values for the others; else no change.
    DropPath,
    /// The pixels in odd rows and columns.
    OddPixels,
    /// ReLU, `max(x, 0)`.
    Relu,
    /// ReLU6, `min(max(x, 0), 6)`.
    Relu6,
    /// Global average pooling: the mean over height and width.
    GlobalAvgPool,
    /// Sum of all inputs.
    Sum,
    /// Concatenation of all inputs on channels.
    Concat,
    /// Zeros of shape `[h, w, c]` for each image of the input.
    Zeros([usize; 3]),
}

impl Op {
    /// The layer of the operation; `None` for operations without layer.
    pub fn layer(&self) -> Option<LayerId> {
        match self {
            Self::Layer(layer) => Some(*layer),
            _ => None,
        }
    }
}

/// An operation and its inputs. Value 0 is the input of the network, value `i + 1` the result of instruction `i`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instr {
    /// Operation.
    pub op: Op,
    /// Indices of the values that the operation reads.
    pub inputs: Vec<usize>,
}

/// The operations of an architecture and its costs. Branches that do not reach the output are removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Instructions in the order of execution. The result of the last one is the class scores.
    pub instrs: Vec<Instr>,
    /// For each value, the index of the last instruction that reads it.
    pub last_use: Vec<usize>,
    /// Layers of the instructions, ascending.
    pub layers: Vec<LayerId>,
    /// Number of parameters of the architecture. Removed branches count too, as in the benchmark tables. An auxiliary
    /// head does not count.
    pub params: u64,
    /// Multiply-adds of convolutions and linear layers for one image. Removed branches count too, an auxiliary head
    /// does not.
    pub macs: u64,
    /// The auxiliary head, if the network has one.
    pub auxiliary: Option<AuxiliaryHead>,
}

/// A second classifier in the middle of a network, whose loss is added in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuxiliaryHead {
    /// Index of the value that holds its class scores.
    pub scores: usize,
    /// Number of parameters of the head.
    pub params: u64,
    /// Multiply-adds of the head for one image.
    pub macs: u64,
}

impl Program {
    /// Whether the class scores depend on the images. An architecture whose branches are all zeros has constant scores.
    pub fn reads_images(&self) -> bool {
        self.instrs.iter().any(|instr| !matches!(instr.op, Op::Zeros(_)) && instr.inputs.contains(&0))
    }

    /// Keeps the instructions on which `output` and the auxiliary head depend, and renumbers the values.
    pub(super) fn prune(
        instrs: Vec<Instr>,
        output: usize,
        (params, macs): (u64, u64),
        auxiliary: Option<AuxiliaryHead>,
    ) -> Self {
        let mut live = vec![false; instrs.len() + 1];
        live[output] = true;
        if let Some(head) = auxiliary {
            live[head.scores] = true;
        }
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
        // An architecture may use a layer on several edges. A strategy updates it once.
        layers.dedup();
        let auxiliary = auxiliary.map(|head| AuxiliaryHead { scores: renamed[head.scores], ..head });
        Self { instrs: kept, last_use, layers, params, macs, auxiliary }
    }
}

/// Length of the longest common prefix of several programs. It never includes the last instruction of a program; 0 for
/// fewer than two programs. `bind(program, layer)` is the weight set that a program uses at a layer.
pub(super) fn common_prefix_length(programs: &[&Program], bind: &dyn Fn(usize, LayerId) -> usize) -> usize {
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
