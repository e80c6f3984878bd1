//! The supernet of a run: its training, the sharing strategy, the average of the weights, and the evaluation of
//! architectures with shared weights.

mod evaluate;
mod freeze;
mod strategy;
#[cfg(test)]
mod tests;

pub use strategy::NamedStrategy;

use super::training::{DeviceBatch, Model, StepOutcome, TrainPath, Training};
use super::{Evaluator, RunError, WeightAverage, network_error};
use crate::arch::Arch;
use crate::network::{LayerId, NetworkSpec, Program};
use crate::registry::TrainingDevice;
use crate::space::SearchSpace;
use crate::state::State;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Shared weights with the strategy that trains them and the images that evaluate them.
pub struct Supernet<D: TrainingDevice> {
    space: Arc<dyn SearchSpace>,
    training: Training<D>,
    strategy: NamedStrategy<D>,
    evaluator: Evaluator<D>,
    average: WeightAverage<D>,
    /// Layers of every architecture, such as the stem and the classifier.
    common_layers: BTreeSet<LayerId>,
}

impl<D: TrainingDevice> Supernet<D> {
    /// Joins the parts. With a positive `average_decay`, the average of the weights is evaluated in place of the
    /// weights.
    ///
    /// # Errors
    /// A space whose architectures do not fit the network.
    pub fn new(
        space: Arc<dyn SearchSpace>,
        training: Training<D>,
        strategy: NamedStrategy<D>,
        evaluator: Evaluator<D>,
        average_decay: f64,
    ) -> Result<Self, RunError> {
        let common_layers = common_layers(&*space, training.network().spec())?;
        let average = WeightAverage::new(average_decay);
        Ok(Self { space, training, strategy, evaluator, average, common_layers })
    }

    /// The search space at its scale.
    pub fn space(&self) -> &Arc<dyn SearchSpace> {
        &self.space
    }

    /// The weights and their training.
    pub fn training(&self) -> &Training<D> {
        &self.training
    }

    /// Replaces the weights and the running statistics before the first step; see [`Training::load_model`].
    ///
    /// # Errors
    /// Weights of another network.
    pub fn load_model(&mut self, model: &State) -> Result<(), RunError> {
        self.training.load_model(model)
    }

    /// The sharing strategy.
    pub fn strategy(&self) -> &NamedStrategy<D> {
        &self.strategy
    }

    /// The sharing strategy, for planning and the hooks at the end of plans and epochs.
    pub fn strategy_mut(&mut self) -> &mut NamedStrategy<D> {
        &mut self.strategy
    }

    /// The images and batch-norm statistics of evaluations.
    pub fn evaluator(&self) -> &Evaluator<D> {
        &self.evaluator
    }

    /// Trains planned paths on one batch, with the strategy's hooks.
    ///
    /// # Errors
    /// See [`Training::step`].
    pub fn step(&mut self, batch: DeviceBatch<D>, paths: &[TrainPath]) -> Result<StepOutcome, RunError> {
        let outcome = self.training.step(batch, paths, &mut self.strategy)?;
        self.average.add(self.training.model())?;
        Ok(outcome)
    }

    /// The weights that are evaluated: their average if there is one.
    fn eval_model(&self) -> &Model<D> {
        self.average.or(self.training.model())
    }

    /// Adds weights, optimizer, strategy and average to saved state.
    ///
    /// # Errors
    /// A strategy that cannot save its state.
    pub fn save(&self, state: &mut State) -> Result<(), RunError> {
        state.put_section("training", self.training.save()?);
        state.put_section("strategy", self.strategy.save()?);
        self.average.save(state)
    }

    /// Replaces weights, optimizer, strategy and average by saved ones.
    ///
    /// # Errors
    /// Missing or misfitting entries, or a failing device.
    pub fn load(&mut self, state: &State) -> Result<(), RunError> {
        self.training.load(&state.section("training"))?;
        self.average.load(state, self.training.model())?;
        self.strategy.load(&state.section("strategy"))
    }

    /// The program of an architecture on the shared weights.
    ///
    /// # Errors
    /// An architecture of another space.
    pub fn program(&self, arch: &Arch) -> Result<Program, RunError> {
        self.space.validate(arch)?;
        self.training.network().spec().program(&*self.space, arch).map_err(|e| network_error(&*self.space, e))
    }

    /// Number of layers of `arch` that at least one of `others` also has, without the layers of every architecture.
    ///
    /// # Errors
    /// An architecture of another space.
    pub fn shared_layers<'a>(
        &self,
        arch: &Arch,
        others: impl IntoIterator<Item = &'a Arch>,
    ) -> Result<usize, RunError> {
        let layers = |arch: &Arch| Ok::<BTreeSet<LayerId>, RunError>(self.program(arch)?.layers.into_iter().collect());
        let mut of_others = BTreeSet::new();
        for other in others {
            of_others.append(&mut layers(other)?);
        }
        Ok(layers(arch)?.intersection(&of_others).filter(|layer| !self.common_layers.contains(layer)).count())
    }
}

/// The layers that every architecture has: those that the last architecture shares with all architectures that differ
/// from it in one decision.
fn common_layers(space: &dyn SearchSpace, spec: &NetworkSpec) -> Result<BTreeSet<LayerId>, RunError> {
    let last = space.nth(space.count() - 1);
    let program = spec.program(space, &last).map_err(|e| network_error(space, e))?;
    let mut common: BTreeSet<LayerId> = program.layers.into_iter().collect();
    let open = |(decision, _): &(usize, &usize)| space.decisions()[*decision].choices.len() > 1;
    for (decision, choice) in last.choices().iter().enumerate().filter(open) {
        let mut choices = last.choices().to_vec();
        choices[decision] = usize::from(*choice == 0);
        let program = spec.program(space, &Arch::new(choices)).map_err(|e| network_error(space, e))?;
        common.retain(|layer| program.layers.contains(layer));
    }
    Ok(common)
}
