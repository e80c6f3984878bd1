//! An LSTM policy trained by REINFORCE, as in ENAS and DINAS.
//!
//! Architectures are drawn from a policy `pi(arch)` (see [`policy`]) and evaluated with shared weights. The policy then
//! raises the probability of architectures with a positive advantage:
//!
//! ```text
//! R    = accuracy + entropy_weight * H       H: entropy of the policy along the sample, without gradient
//! A    = R - b                               b: moving average of R before this sample
//! loss = mean over the batch of -A log pi(arch)
//! ```
//!
//! In spaces of cells, the policy chooses predecessors by attention over the earlier nodes (see [`attention`]).
//!
//! As in DINAS, the entropy is part of the reward and not a term of the loss. Adam minimises the loss after clipping.
//! The policy always runs on the CPU, also if the supernet trains on a GPU.

mod adam;
mod attention;
mod baseline;
mod lstm;
mod options;
mod policy;
mod state;
#[cfg(test)]
mod tests;

use super::{Controller, ControllerContext, ControllerDescriptor, ControllerError, check_observation, distinct};
use crate::arch::Arch;
use crate::metrics::mean;
use crate::options::parse_options;
use crate::space::SearchSpace;
use crate::state::State;
use adam::Adam;
use baseline::Baseline;
use options::Options;
use policy::Policy;
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;
use std::sync::Arc;

/// Trains a policy over architectures by REINFORCE.
pub struct Reinforce {
    space: Arc<dyn SearchSpace>,
    options: Options,
    policy: Policy,
    adam: Adam,
    baseline: Baseline,
    /// Sum of the gradients of the loss in the current batch.
    pending: Vec<Vec<f64>>,
    /// Number of gradients in the sum.
    observed: usize,
    /// The last observations for telemetry, at most one epoch of them.
    recent: VecDeque<Observed>,
}

/// The quantities of one observation that telemetry averages.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Observed {
    entropy: f64,
    log_prob: f64,
    advantage: f64,
}

impl Reinforce {
    fn new(options: Options, mut context: ControllerContext) -> Result<Self, ControllerError> {
        options.validate()?;
        let decisions = context.space.decisions().to_vec();
        let policy = Policy::new(decisions, options.hidden, options.logit_scaling(), &mut context.rng)?;
        let lengths: Vec<usize> = (0..policy.params().len()).map(|k| policy.values(k).len()).collect();
        Ok(Self {
            space: context.space,
            adam: Adam::new(options.lr, options.weight_decay, &lengths),
            baseline: Baseline::new(options.baseline_decay, None),
            pending: lengths.iter().map(|n| vec![0.0; *n]).collect(),
            observed: 0,
            recent: VecDeque::new(),
            policy,
            options,
        })
    }

    /// Updates the policy by Adam with the mean gradient of the batch, then starts the next batch.
    fn update(&mut self) -> Result<(), ControllerError> {
        let count = self.observed as f64;
        let norm = self.pending.iter().flatten().map(|g| g * g).sum::<f64>().sqrt() / count;
        if !norm.is_finite() {
            return Err(ControllerError::Diverged(format!(
                "the gradient of reinforce has norm {norm} in update {}; lower controller.lr",
                self.adam.steps + 1
            )));
        }
        // At most 1: clipping does not enlarge small gradients.
        let factor = (self.options.clip / (norm + 1e-6)).min(1.0) / count;
        self.adam.next_step();
        for (k, pending) in self.pending.iter_mut().enumerate() {
            pending.iter_mut().for_each(|g| *g *= factor);
            let mut weights = self.policy.values(k);
            self.adam.update(k, &mut weights, pending);
            self.policy.set(k, weights)?;
            pending.fill(0.0);
        }
        self.observed = 0;
        Ok(())
    }
}

impl Controller for Reinforce {
    fn samples_per_epoch(&self) -> usize {
        self.options.samples
    }

    /// The policy changes at the end of a batch.
    fn independent_samples(&self) -> usize {
        self.options.batch - self.observed
    }

    fn sample(&mut self, rng: &mut ChaCha8Rng) -> Result<Arch, ControllerError> {
        self.policy.sample(rng)
    }

    fn observe(&mut self, arch: &Arch, reward: f64) -> Result<(), ControllerError> {
        check_observation(self.space.as_ref(), arch, reward)?;
        let (score, gradient) = self.policy.score_with_gradient(arch)?;
        let advantage = self.baseline.advantage(reward + self.options.entropy_weight * score.entropy);
        for (sum, g) in self.pending.iter_mut().flatten().zip(gradient.iter().flatten()) {
            *sum -= advantage * f64::from(*g);
        }
        self.observed += 1;
        if self.recent.len() == self.options.samples {
            self.recent.pop_front();
        }
        self.recent.push_back(Observed { entropy: score.entropy, log_prob: score.log_prob, advantage });
        if self.observed == self.options.batch { self.update() } else { Ok(()) }
    }

    /// Proposes the architecture of the most probable choices first, then samples in the order of drawing. A policy
    /// with low entropy repeats its samples and may propose fewer than `n`.
    fn propose(&mut self, n: usize, rng: &mut ChaCha8Rng) -> Result<Vec<Arch>, ControllerError> {
        let mut found = distinct(vec![self.policy.greedy()?], n, || self.policy.sample(rng))?;
        found.truncate(n);
        Ok(found)
    }

    /// The baseline, and means over the observations of the last epoch: entropy and log-probability in nats, advantage.
    fn metrics(&self) -> Vec<(String, f64)> {
        let Some(baseline) = self.baseline.value() else { return Vec::new() };
        let mean = |of: fn(&Observed) -> f64| mean(self.recent.iter().map(of));
        let named = [
            ("reward_baseline", Some(baseline)),
            ("entropy", mean(|observed| observed.entropy)),
            ("log_prob", mean(|observed| observed.log_prob)),
            ("advantage", mean(|observed| observed.advantage)),
        ];
        named.into_iter().filter_map(|(name, value)| Some((name.into(), value?))).collect()
    }

    fn save(&self) -> Result<State, ControllerError> {
        Ok(self.to_state()?)
    }

    fn load(&mut self, state: &State) -> Result<(), ControllerError> {
        self.set_state(state)
    }
}

inventory::submit! {
    ControllerDescriptor {
        name: "reinforce",
        summary: "an LSTM policy trained by REINFORCE on accuracy with shared weights",
        reference: "Williams 1992; ENAS (Pham et al. 2018); reward with entropy as in DINAS",
        options: || crate::options::example(&Options::default()),
        build: |options, context: ControllerContext| {
            Ok(Box::new(Reinforce::new(parse_options("controller", options)?, context)?))
        },
    }
}
