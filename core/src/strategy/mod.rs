//! Sharing strategies: the rules by which the shared weights of a supernet are trained.
//!
//! The training loop calls the hooks of a [`SharingStrategy`] in this order, once per step unless noted:
//! 1. [`plan`](SharingStrategy::plan), once per plan, which lasts for [`StrategyContext::steps_per_arch`] steps;
//! 2. forward and backward pass of every planned path, with [`bind`](SharingStrategy::bind) and
//!    [`capture`](SharingStrategy::capture);
//! 3. [`after_backward`](SharingStrategy::after_backward), then clipping and the optimizer;
//! 4. [`before_apply`](SharingStrategy::before_apply), then the update is added to the weights;
//! 5. [`after_update`](SharingStrategy::after_update);
//! 6. [`end_arch`](SharingStrategy::end_arch), after the last step of a plan;
//! 7. [`end_epoch`](SharingStrategy::end_epoch), after the last step of an epoch.

mod descriptor;
mod error;

pub use crate::network::ParamStep;
pub use descriptor::{StrategyBuilder, StrategyDescriptor};
pub use error::StrategyError;

use crate::arch::Arch;
use crate::controller::ControllerError;
use crate::network::{LayerId, NetworkSpec};
use crate::space::SearchSpace;
use crate::state::State;
use nas_ops::{Backend, Tensor4};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Largest number of paths of a plan.
pub const MAX_PATHS: usize = 1024;

/// One architecture of a step with the weight of its loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// Architecture that the step trains.
    pub arch: Arch,
    /// Factor of the path's cross-entropy. The gradients of all paths of a step are summed.
    pub weight: f32,
}

/// Sources of architectures and random numbers for [`SharingStrategy::plan`].
pub struct Sampler<'a> {
    /// The space.
    pub space: &'a dyn SearchSpace,
    /// Draws one architecture: uniformly, or from the controller after its first epoch of training. A failed draw ends
    /// the run with the error of the controller, even if the strategy plans without it.
    pub draw: &'a mut dyn FnMut() -> Result<Arch, ControllerError>,
    /// The stream of random numbers for choices of the strategy's own.
    pub rng: &'a mut ChaCha8Rng,
}

/// The parts of a run that a strategy gets when it is built.
#[derive(Clone)]
pub struct StrategyContext<D: Backend> {
    /// The space.
    pub space: Arc<dyn SearchSpace>,
    /// Layers and parameters of the supernet.
    pub spec: Arc<NetworkSpec>,
    /// Device of the weights.
    pub device: D,
    /// Number of steps of the whole run, for schedules.
    pub total_steps: u64,
    /// Number of consecutive steps of one plan.
    pub steps_per_arch: usize,
}

/// The input of one layer under one path.
#[derive(Debug, Clone)]
pub struct LayerInput<D: Backend> {
    /// Index of the path in [`Step::paths`].
    pub path: usize,
    /// Layer to which the input belongs.
    pub layer: LayerId,
    /// Input `[n, h, w, c_in]`, before the ReLU of the layer.
    pub input: Tensor4<D>,
}

/// The data of one step, which hooks read and may change.
#[derive(Debug)]
pub struct Step<D: Backend> {
    /// Number of earlier steps in the run.
    pub number: u64,
    /// Epoch, from 0.
    pub epoch: usize,
    /// Learning rate of the step.
    pub lr: f64,
    /// Architectures that the step trains.
    pub paths: Vec<Path>,
    /// Cross-entropy of each path, in nats, not multiplied by the weight of the path.
    pub losses: Vec<f64>,
    /// Active parameters, ascending by index.
    pub params: Vec<ParamStep<D>>,
    /// Captured inputs of layers, path by path.
    pub inputs: Vec<LayerInput<D>>,
}

/// A sharing strategy. It may hold tensors of its device; on CUDA, these must stay on their thread.
pub trait SharingStrategy<D: Backend> {
    /// Returns the architectures of the next plan, 1 to [`MAX_PATHS`]. Each of its
    /// [`steps_per_arch`](StrategyContext::steps_per_arch) steps trains all of them.
    ///
    /// # Errors
    /// Any failure of the strategy. It ends the run, as does an error of the other hooks.
    fn plan(&mut self, sampler: &mut Sampler<'_>) -> Result<Vec<Path>, StrategyError>;

    /// Number of images of a batch whose inputs of `layer` are captured. The first images of the batch are taken; 0
    /// captures none.
    fn capture(&self, _layer: LayerId) -> usize {
        0
    }

    /// Number of weight sets of the supernet.
    fn weight_sets(&self) -> usize {
        1
    }

    /// Weight set that an architecture uses at a layer; below [`weight_sets`](Self::weight_sets).
    fn bind(&self, _arch: &Arch, _layer: LayerId) -> usize {
        0
    }

    /// Runs after the backward passes. It may change the gradients, which are clipped afterwards.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn after_backward(&mut self, _step: &mut Step<D>) -> Result<(), StrategyError> {
        Ok(())
    }

    /// Runs before the updates are added to the weights. It may change the updates.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn before_apply(&mut self, _step: &mut Step<D>) -> Result<(), StrategyError> {
        Ok(())
    }

    /// Runs after the weights have been updated.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn after_update(&mut self, _step: &Step<D>) -> Result<(), StrategyError> {
        Ok(())
    }

    /// Runs after the last step of a plan.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn end_arch(&mut self, _paths: &[Path]) -> Result<(), StrategyError> {
        Ok(())
    }

    /// Runs at the end of an epoch; `epoch` counts from 0.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn end_epoch(&mut self, _epoch: usize) -> Result<(), StrategyError> {
        Ok(())
    }

    /// Sentences for the log at the start of a run, for example about costs and limits of the strategy.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns and clears the notes since the last call. The run calls it after each epoch.
    fn take_notes(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Named numbers for `metrics.csv`, read once per epoch. Only numbers named `time.*` may differ between equal runs;
    /// they go to `timings.csv`.
    fn metrics(&self) -> Vec<(String, f64)> {
        Vec::new()
    }

    /// Checks that the updates of a step do not depend on the length of the run, so that a longer run continues a
    /// shorter one exactly.
    ///
    /// # Errors
    /// An option that makes the updates depend on the length, such as a schedule.
    fn check_independent_of_length(&self) -> Result<(), StrategyError> {
        Ok(())
    }

    /// Returns the error of an earlier [`bind`](Self::bind), whose signature has no error. The run calls it after each
    /// evaluation, because no later hook may report the error.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn deferred_bind_error(&self) -> Result<(), StrategyError> {
        Ok(())
    }

    /// Saves the state of the strategy, from which [`load`](Self::load) continues.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn save(&self) -> Result<State, StrategyError> {
        Ok(State::default())
    }

    /// Continues from saved state.
    ///
    /// # Errors
    /// State that does not fit the strategy.
    fn load(&mut self, _state: &State) -> Result<(), StrategyError> {
        Ok(())
    }
}
