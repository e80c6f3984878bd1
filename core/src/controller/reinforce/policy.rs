//! The policy: the probability of an architecture is a product over its decisions, each conditioned on the earlier
//! ones.

use super::attention::{self, Anchors};
use super::lstm::{LstmCell, LstmState, Matrix};
use crate::arch::Arch;
use crate::controller::ControllerError;
use crate::space::{Decision, DecisionRole};
use dfdx::prelude::*;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Initial weights are uniform in `[-INIT_BOUND, INIT_BOUND]` as in ENAS, so the initial policy is almost uniform.
const INIT_BOUND: f32 = 0.1;

/// Scaling of the logits `z`: probabilities are `softmax(tanh * tanh(z / temperature))`. If `tanh` is 0, they are
/// `softmax(z / temperature)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogitScaling {
    pub(super) temperature: f64,
    pub(super) tanh: f64,
}

/// A parameter of the policy.
pub(super) struct Param {
    /// Name in saved state.
    pub(super) name: String,
    /// Values of the parameter.
    pub(super) value: Matrix,
}

/// Log-probability and entropy of one architecture under the policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    /// `log pi(arch)`.
    pub(super) log_prob: f64,
    /// Sum of the entropies of the decisions' distributions along the architecture, in nats.
    pub(super) entropy: f64,
}

/// A one-layer LSTM with an embedding and a linear head for each decision between operations, and attention over the
/// earlier nodes of a cell for decisions about topology.
///
/// At each decision, the LSTM reads the embedding of the previous choice (at the first decision, a learned start
/// vector; after a decision about topology, the sum of the vectors of the chosen nodes). The head of the decision maps
/// its output to logits. Decisions may differ in their number of choices. All cells are one sequence.
pub(super) struct Policy {
    device: Cpu,
    hidden: usize,
    decisions: Vec<Decision>,
    scaling: LogitScaling,
    params: Vec<Param>,
    /// For each decision, the index of its embedding and of its head among the parameters; `None` for decisions about
    /// topology. The choice of the last decision is not read, so it has no embedding.
    own: Vec<[Option<usize>; 2]>,
    /// Index of the first parameter of the attention.
    attention: usize,
    /// For each node without a decision, the index of its vector.
    inputs: BTreeMap<usize, usize>,
}

impl Policy {
    /// Creates a policy for these decisions.
    pub(super) fn new(
        decisions: Vec<Decision>,
        hidden: usize,
        scaling: LogitScaling,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ControllerError> {
        let mut shapes = vec![
            ("start".to_owned(), (1, hidden)),
            ("lstm.input".into(), (hidden, 4 * hidden)),
            ("lstm.recurrent".into(), (hidden, 4 * hidden)),
            ("lstm.bias".into(), (1, 4 * hidden)),
        ];
        let mut own = vec![[None; 2]; decisions.len()];
        let read = decisions.len().saturating_sub(1);
        let operations = || decisions.iter().enumerate().filter(|(_, decision)| decision.is_operation());
        for (i, decision) in operations().filter(|(i, _)| *i < read) {
            own[i][0] = Some(shapes.len());
            shapes.push((format!("embedding.{i}"), (decision.choices.len(), hidden)));
        }
        for (i, decision) in operations() {
            own[i][1] = Some(shapes.len());
            shapes.push((format!("head.{i}"), (hidden, decision.choices.len())));
        }
        let attention = shapes.len();
        let mut inputs = BTreeMap::new();
        if operations().count() < decisions.len() {
            shapes.extend(attention::shapes(hidden).map(|(name, shape)| (name.into(), shape)));
            for node in attention::inputs(&decisions) {
                inputs.insert(node, shapes.len());
                shapes.push((format!("anchor.{node}"), (1, hidden)));
            }
        }
        let device = Cpu::default();
        let mut param = |(name, shape): (String, (usize, usize))| {
            let values: Vec<f32> = (0..shape.0 * shape.1).map(|_| rng.random_range(-INIT_BOUND..=INIT_BOUND)).collect();
            Ok(Param { name, value: device.try_tensor_from_vec(values, shape).map_err(failed)? })
        };
        let params = shapes.into_iter().map(&mut param).collect::<Result<_, ControllerError>>()?;
        Ok(Self { device, hidden, decisions, scaling, params, own, attention, inputs })
    }

    /// All parameters.
    pub(super) fn params(&self) -> &[Param] {
        &self.params
    }

    /// The values of parameter `k`.
    pub(super) fn values(&self, k: usize) -> Vec<f32> {
        let value = &self.params[k].value;
        let mut values = vec![0.0; value.shape().num_elements()];
        value.copy_into(&mut values);
        values
    }

    /// Replaces the values of parameter `k` by as many others.
    pub(super) fn set(&mut self, k: usize, values: Vec<f32>) -> Result<(), ControllerError> {
        let shape = *self.params[k].value.shape();
        self.params[k].value = self.device.try_tensor_from_vec(values, shape).map_err(failed)?;
        Ok(())
    }

    /// Draws an architecture.
    pub(super) fn sample(&self, rng: &mut ChaCha8Rng) -> Result<Arch, ControllerError> {
        Ok(self.walk::<NoneTape>(|_, log_probs| draw(log_probs, rng.random()))?.0)
    }

    /// Takes the most probable choice at every decision, the first among equals.
    pub(super) fn greedy(&self) -> Result<Arch, ControllerError> {
        let likeliest = |_, log_probs: &[f64]| {
            (0..log_probs.len()).fold(0, |best, k| if log_probs[k] > log_probs[best] { k } else { best })
        };
        Ok(self.walk::<NoneTape>(likeliest)?.0)
    }

    /// Log-probability and entropy along a valid architecture.
    #[cfg(test)]
    pub(super) fn score(&self, arch: &Arch) -> Result<Score, ControllerError> {
        Ok(self.walk::<NoneTape>(|decision, _| arch.choices()[decision])?.2)
    }

    /// Log-probability and entropy along a valid architecture, with the gradient of the log-probability for each
    /// parameter. The entropy has no gradient.
    pub(super) fn score_with_gradient(&self, arch: &Arch) -> Result<(Score, Vec<Vec<f32>>), ControllerError> {
        let (_, total, score) = self.walk::<OwnedTape<f32, Cpu>>(|decision, _| arch.choices()[decision])?;
        let total = total.try_sum::<Rank0, Axes2<0, 1>>().map_err(failed)?;
        let mut gradients = total.try_backward().map_err(failed)?;
        // A parameter that the architecture does not use gets a gradient of zeros.
        let mut gradient = |p: &Param| Ok(gradients.get_or_alloc_mut(&p.value).map_err(failed)?.to_vec());
        Ok((score, self.params.iter().map(&mut gradient).collect::<Result<_, ControllerError>>()?))
    }

    /// Runs the LSTM over all decisions with the choices of `choose(decision, log_probs)`. Returns the architecture,
    /// its log-probability as `[1, 1]` with its tape, and its score.
    fn walk<T: Tape<f32, Cpu>>(
        &self,
        mut choose: impl FnMut(usize, &[f64]) -> usize,
    ) -> Result<(Arch, Matrix<T>, Score), ControllerError> {
        let zeros = |width| self.device.try_zeros_like(&(1, width)).map(|z: Matrix| z.put_tape(T::default()));
        let (mut total, mut entropy) = (zeros(1).map_err(failed)?, 0.0);
        let mut state = LstmState { h: zeros(self.hidden).map_err(failed)?, c: zeros(self.hidden).map_err(failed)? };
        let mut taken: Vec<usize> = Vec::with_capacity(self.decisions.len());
        let input = |(node, k): (&usize, &usize)| (*node, self.params[*k].value.clone());
        let mut anchors = Anchors::new(self.inputs.iter().map(input).collect());
        for decision in 0..self.decisions.len() {
            let before = taken.last().copied();
            let (log_probs, next) = self.decide(decision, before, state, &mut anchors).map_err(failed)?;
            let values: Vec<f64> = log_probs.as_vec().into_iter().map(f64::from).collect();
            if values.iter().any(|l| l.is_nan()) {
                return Err(ControllerError::Diverged(
                    "the policy of reinforce has non-finite probabilities; lower controller.lr or raise controller.temperature"
                        .into(),
                ));
            }
            let choice = choose(decision, &values);
            // The limit of p log p at p = 0 is 0; f64 would give NaN.
            entropy -= values.iter().filter(|l| l.is_finite()).map(|l| l.exp() * l).sum::<f64>();
            let picked = log_probs.try_slice((0..1, choice..choice + 1)).map_err(failed)?;
            total = total.try_add(picked).map_err(failed)?;
            state = next;
            taken.push(choice);
        }
        let log_prob = total.as_vec().into_iter().map(f64::from).sum();
        Ok((Arch::new(taken), total, Score { log_prob, entropy }))
    }

    /// Log-probabilities `[1, choices]` of one decision, given the previous choice `before`.
    fn decide<T: Tape<f32, Cpu>>(
        &self,
        decision: usize,
        before: Option<usize>,
        state: LstmState<T>,
        anchors: &mut Anchors,
    ) -> Result<(Matrix<T>, LstmState<T>), CpuError> {
        let param = |k: usize| &self.params[k].value;
        let x = match before {
            None => param(0).retaped::<T>(),
            Some(choice) => match (&self.decisions[decision - 1].role, self.own[decision - 1][0]) {
                (DecisionRole::Topology { predecessors, .. }, _) => anchors.chosen::<T>(&predecessors[choice])?,
                (_, k) => param(k.unwrap_or_default()).retaped::<T>().try_slice((choice..choice + 1, ..))?,
            },
        };
        let cell = LstmCell { input: param(1), recurrent: param(2), bias: param(3) };
        let (h, state) = cell.step(x, state)?;
        let logits = match (&self.decisions[decision].role, self.own[decision][1]) {
            (DecisionRole::Topology { node, predecessors }, _) => {
                anchors.begin(*node, &h);
                anchors.logits(h, predecessors, [0, 1, 2].map(|k| param(self.attention + k)))?
            }
            (_, k) => h.try_matmul(param(k.unwrap_or_default()).clone())?,
        };
        let mut logits = logits.try_mul(1.0 / self.scaling.temperature as f32)?;
        if self.scaling.tanh > 0.0 {
            logits = logits.try_tanh()?.try_mul(self.scaling.tanh as f32)?;
        }
        Ok((logits.try_log_softmax::<Axis<1>>()?, state))
    }
}

/// Draws a choice by inverting the cumulative distribution at `u` in `[0, 1)`. If rounding leaves the sum of all
/// probabilities below `u`, the most probable choice is drawn.
fn draw(log_probs: &[f64], u: f64) -> usize {
    let mut below = 0.0;
    for (k, log_prob) in log_probs.iter().enumerate() {
        below += log_prob.exp();
        if u < below {
            return k;
        }
    }
    (0..log_probs.len()).max_by(|a, b| log_probs[*a].total_cmp(&log_probs[*b])).unwrap_or(0)
}

fn failed(error: CpuError) -> ControllerError {
    ControllerError::Other(error.to_string())
}
