//! Search for architectures on trained weights, under limits of size and cost.

mod front;
mod limits;

pub use front::pareto_front;
pub use limits::Limits;

use super::{RunError, Session, stand_alone_cost};
use crate::arch::Arch;
use crate::config::ComponentConfig;
use crate::controller::{Controller, ControllerContext, ControllerError};
use crate::metrics::Evaluation;
use crate::registry::{self, BuildError, ControllerDescriptor, TrainingDevice};
use crate::space::SearchSpace;
use crate::streams::Streams;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Largest number of architectures that are evaluated together.
const MAX_ARCHS_PER_EVALUATION: usize = 256;
/// Number of samples in a row beyond the limits after which a search gives up.
const MAX_REJECTED: usize = 100_000;

/// An evaluated architecture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Architecture in the notation of the search space.
    pub arch: String,
    /// Accuracy with shared weights, in percent.
    pub accuracy: f64,
    /// Mean cross-entropy with shared weights, in nats.
    pub loss: f64,
    /// Number of parameters as a stand-alone network.
    pub params: u64,
    /// Multiply-adds for one image.
    pub macs: u64,
}

impl Candidate {
    /// An architecture with its evaluation and its cost.
    ///
    /// # Errors
    /// An architecture that cannot be built at the scale of the space.
    pub fn new(space: &dyn SearchSpace, arch: &Arch, evaluation: Evaluation) -> Result<Self, RunError> {
        let (params, macs) = stand_alone_cost(space, arch)?;
        let Evaluation { loss, accuracy } = evaluation;
        Ok(Self { arch: space.format(arch), accuracy, loss, params, macs })
    }
}

/// The candidates of a search, in the order of their first proposal.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchOutcome {
    /// Every proposed architecture once.
    pub candidates: Vec<Candidate>,
    /// Number of proposals, repeated ones included.
    pub proposals: usize,
    /// Number of samples beyond the limits, which were not proposed.
    pub rejected: usize,
    /// Whether the search was stopped before its end.
    pub interrupted: bool,
}

/// A search by a controller, whose rewards are accuracies with the weights of a session.
pub struct Search<'a, D: TrainingDevice> {
    session: &'a Session<D>,
    space: Arc<dyn SearchSpace>,
    controller: Box<dyn Controller>,
    name: String,
    rng: ChaCha8Rng,
    limits: Limits,
}

impl<'a, D: TrainingDevice> Search<'a, D> {
    /// Builds the controller, and checks that an architecture obeys the limits. `seed` determines all proposals.
    ///
    /// # Errors
    /// An unknown controller, its options, or limits that no architecture obeys.
    pub fn new(
        session: &'a Session<D>,
        controller: &ComponentConfig,
        limits: Limits,
        seed: u64,
    ) -> Result<Self, RunError> {
        let space = session.space().clone();
        limits.check(&*space)?;
        let streams = Streams::new(seed);
        let context = ControllerContext { space: space.clone(), rng: streams.rng("search controller", 0) };
        let build = registry::find::<ControllerDescriptor>(&controller.name)?.build;
        Ok(Self {
            session,
            space,
            controller: build(&controller.options, context).map_err(BuildError::from)?,
            name: controller.name.clone(),
            rng: streams.rng("search", 0),
            limits,
        })
    }

    /// Evaluates `budget` proposals. A repeated one takes its earlier accuracy. `on_progress` gets the number of
    /// proposals so far. Stops early if `cancel` becomes true, or at an error. The candidates until then are returned
    /// with it.
    ///
    /// # Errors
    /// A controller or an evaluation that fails, or limits that none of 100,000 samples in a row obeys.
    pub fn run(
        mut self,
        budget: usize,
        cancel: &AtomicBool,
        on_progress: &mut dyn FnMut(usize),
    ) -> (SearchOutcome, Result<(), RunError>) {
        let mut outcome = SearchOutcome { candidates: Vec::new(), proposals: 0, rejected: 0, interrupted: false };
        let ended = self.propose(budget, &mut outcome, cancel, on_progress);
        (outcome, ended)
    }

    fn propose(
        &mut self,
        budget: usize,
        outcome: &mut SearchOutcome,
        cancel: &AtomicBool,
        on_progress: &mut dyn FnMut(usize),
    ) -> Result<(), RunError> {
        let mut known: HashMap<Arch, usize> = HashMap::new();
        while outcome.proposals < budget {
            let count = self
                .controller
                .independent_samples()
                .min(budget - outcome.proposals)
                .clamp(1, MAX_ARCHS_PER_EVALUATION);
            let mut proposed = Vec::new();
            for _ in 0..count {
                proposed.push(self.sample(&mut outcome.rejected)?);
            }
            let mut new: Vec<Arch> = proposed.iter().filter(|arch| !known.contains_key(*arch)).cloned().collect();
            new.sort();
            new.dedup();
            let Some(evaluations) = self.session.evaluate_with_loss(&new, cancel, &mut |_| ())? else {
                outcome.interrupted = true;
                return Ok(());
            };
            let evaluated: HashMap<&Arch, _> = new.iter().zip(evaluations).collect();
            for arch in &proposed {
                if let (None, Some(evaluation)) = (known.get(arch), evaluated.get(arch)) {
                    known.insert(arch.clone(), outcome.candidates.len());
                    outcome.candidates.push(Candidate::new(&*self.space, arch, *evaluation)?);
                }
                let accuracy = known.get(arch).map_or(0.0, |number| outcome.candidates[*number].accuracy);
                self.controller.observe(arch, accuracy / 100.0).map_err(|error| self.failed(error))?;
            }
            outcome.proposals += proposed.len();
            on_progress(outcome.proposals);
            outcome.interrupted = cancel.load(Ordering::Relaxed) && outcome.proposals < budget;
            if outcome.interrupted {
                break;
            }
        }
        Ok(())
    }

    /// Samples until an architecture obeys the limits.
    fn sample(&mut self, rejected: &mut usize) -> Result<Arch, RunError> {
        for _ in 0..MAX_REJECTED {
            let arch = self.controller.sample(&mut self.rng).map_err(|error| self.failed(error))?;
            let (params, macs) = stand_alone_cost(&*self.space, &arch)?;
            if self.limits.allow(params, macs) {
                return Ok(arch);
            }
            *rejected += 1;
        }
        Err(self.limits.too_low(MAX_REJECTED).into())
    }

    fn failed(&self, source: ControllerError) -> RunError {
        RunError::Controller { controller: self.name.clone(), source: Box::new(source) }
    }
}

#[cfg(test)]
mod tests;
