//! Training of one network: weights, optimizer, batch-norm statistics, counters and the training step.
//!
//! A step trains one or several paths on one batch. The supernet and a stand-alone network take the same step: the
//! supernet with the paths that a strategy plans and the strategy's [`Hooks`], a stand-alone network with one path and
//! [`NoHooks`].
//!
//! Order of a step: forward pass, loss and backward pass of every path, sum of the gradients,
//! [`after_backward`](Hooks::after_backward), clipping and SGD, [`before_apply`](Hooks::before_apply), addition of the
//! updates to the weights, [`after_update`](Hooks::after_update).

mod device_batch;
mod epoch_sums;
mod gradients;
mod hooks;
mod loss;
mod model;
mod regularisation;
mod state;

pub use device_batch::{DeviceBatch, DeviceBatches};
pub use epoch_sums::EpochSums;
pub use hooks::{Hooks, NoHooks};
pub use model::Model;
pub use regularisation::Regularisation;

use super::RunError;
use crate::arch::Arch;
use crate::config::TrainConfig;
use crate::event::StepDone;
use crate::network::{Network, Program, RunningMoments};
use crate::optimizer::Sgd;
use crate::registry::TrainingDevice;
use crate::space::SearchSpace;
use crate::strategy::{Path, Step};
use std::sync::Arc;

/// A path of a step with its program on the network that is trained.
#[derive(Debug, Clone)]
pub struct TrainPath {
    /// The architecture and the factor of its loss.
    pub path: Path,
    /// The instructions of the architecture.
    pub program: Program,
}

/// Figures of one step.
#[derive(Debug, Clone, Copy)]
pub struct StepOutcome {
    /// The event that observers receive.
    pub done: StepDone,
    /// Learning rate of the step.
    pub lr: f64,
    /// 2-norm of all gradients before clipping.
    pub gradient_norm: f64,
}

/// Counts of steps, sub-net passes and images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Optimizer steps.
    pub steps: u64,
    /// Forward and backward passes of one path on one batch.
    pub subnet_passes: u64,
    /// Images, counted once for each pass.
    pub images: u64,
}

/// A network under training.
pub struct Training<D: TrainingDevice> {
    space: Arc<dyn SearchSpace>,
    model: Model<D>,
    optimizer: Sgd<D>,
    config: TrainConfig,
    regularisation: Regularisation,
    total_steps: u64,
    steps_per_epoch: u64,
    counters: Counters,
}

impl<D: TrainingDevice> Training<D> {
    /// Prepares the training of a network by the section `[train]`. `total_steps` is the length of the learning-rate
    /// schedule. With `running`, every step updates these batch-norm statistics.
    pub fn new(
        space: Arc<dyn SearchSpace>,
        network: Network<D>,
        running: Option<RunningMoments>,
        config: &TrainConfig,
        total_steps: u64,
        steps_per_epoch: usize,
    ) -> Self {
        let TrainConfig { momentum, nesterov, weight_decay, clip, .. } = *config;
        Self {
            optimizer: Sgd::new(momentum, nesterov, weight_decay, clip, network.params().len()),
            space,
            model: Model { network, running },
            config: config.clone(),
            regularisation: Regularisation::default(),
            total_steps,
            steps_per_epoch: steps_per_epoch.max(1) as u64,
            counters: Counters::default(),
        }
    }

    /// This training with a regularisation.
    pub fn regularised(self, regularisation: Regularisation) -> Self {
        Self { regularisation, ..self }
    }

    /// The weights and the running batch-norm statistics.
    pub fn model(&self) -> &Model<D> {
        &self.model
    }

    /// The weights.
    pub fn network(&self) -> &Network<D> {
        &self.model.network
    }

    /// Steps, passes and images so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Steps of the whole training.
    pub fn total_steps(&self) -> u64 {
        self.total_steps
    }

    /// Trains `paths` on one batch.
    ///
    /// # Errors
    /// A loss or gradient that is not finite, a failing device, and the errors of the hooks.
    pub fn step(
        &mut self,
        batch: DeviceBatch<D>,
        paths: &[TrainPath],
        hooks: &mut dyn Hooks<D>,
    ) -> Result<StepOutcome, RunError> {
        let (images, labels) = batch.wait()?;
        let number = self.counters.steps;
        let mut step = Step {
            number,
            epoch: self.epoch_of(number),
            lr: self.lr(number),
            paths: paths.iter().map(|path| path.path.clone()).collect(),
            losses: Vec::new(),
            params: Vec::new(),
            inputs: Vec::new(),
        };
        let loss = self.sum_gradients(&images, &labels, paths, hooks, &mut step)?;
        let gradient_norm = self.update(&mut step, hooks)?;

        let images = labels.len();
        self.counters.steps += 1;
        self.counters.subnet_passes += paths.len() as u64;
        self.counters.images += (paths.len() * images) as u64;
        let done = StepDone { step: number, epoch: step.epoch, loss, images, paths: paths.len() };
        Ok(StepOutcome { done, lr: step.lr, gradient_norm })
    }

    /// Adds the updates of the optimizer to the weights. Returns the 2-norm of the gradients before clipping.
    fn update(&mut self, step: &mut Step<D>, hooks: &mut dyn Hooks<D>) -> Result<f64, RunError> {
        hooks.after_backward(step)?;
        let network = &self.model.network;
        let norm = self.optimizer.compute_updates(&mut step.params, step.lr, |p| network.slot(p.set, p.param))?;
        if !norm.is_finite() {
            return Err(self.diverged(step.number, "the gradient norm", &step.paths[0].arch));
        }
        hooks.before_apply(step)?;
        self.model.network.apply(&mut step.params)?;
        hooks.after_update(step)?;
        Ok(norm)
    }

    /// The error of an evaluation of `arch` whose loss is not finite. It names the last step: the loss of a step is
    /// computed before its update, so the last update produced the weights that failed.
    pub fn evaluation_diverged(&self, arch: &Arch) -> RunError {
        self.diverged(self.counters.steps.saturating_sub(1), "the loss of an evaluation after it", arch)
    }

    /// The error of a step in which `quantity` is not finite.
    fn diverged(&self, step: u64, quantity: &'static str, arch: &Arch) -> RunError {
        let (epoch, lr) = (self.epoch_of(step), self.lr(step));
        // A published architecture outside of the space has no choices.
        let arch = self.space.validate(arch).map_or(String::new(), |()| self.space.format(arch));
        RunError::Diverged { what: quantity, step, epoch, arch, lr }
    }

    fn epoch_of(&self, step: u64) -> usize {
        (step / self.steps_per_epoch) as usize
    }

    fn lr(&self, step: u64) -> f64 {
        let TrainConfig { lr_schedule, lr, lr_min, .. } = self.config;
        lr_schedule.lr(lr, lr_min, step, self.total_steps) * self.regularisation.warmup(step)
    }
}
