//! Sharing strategies: how the architectures of one supernet are trained without spoiling each other.
//!
//! The loop calls the hooks of a [`SharingStrategy`] in this order, once a step unless noted:
//! [`plan`](SharingStrategy::plan) (once per `steps-per-arch` steps), forward and backward of every planned path with
//! [`bind`](SharingStrategy::bind) and [`capture`](SharingStrategy::capture),
//! [`after_backward`](SharingStrategy::after_backward), clipping and the optimizer's update,
//! [`before_apply`](SharingStrategy::before_apply), the addition of the update to the weights,
//! [`after_update`](SharingStrategy::after_update), [`end_arch`](SharingStrategy::end_arch) (after the last step of a
//! plan) and [`end_epoch`](SharingStrategy::end_epoch).

mod descriptor;
mod error;

pub use crate::network::ParamStep;
pub use descriptor::{StrategyBuilder, StrategyDescriptor};
pub use error::StrategyError;

use crate::arch::Arch;
use crate::network::{LayerId, NetworkSpec};
use crate::space::SearchSpace;
use crate::state::State;
use nas_ops::{Backend, Tensor4};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Most paths that a plan may hold.
pub const MAX_PATHS: usize = 1024;

/// One architecture of a step, and the weight of its loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The architecture.
    pub arch: Arch,
    /// The factor of its cross-entropy; gradients of all paths of a step are summed.
    pub weight: f32,
}

/// What a strategy may draw from when it plans.
pub struct Sampler<'a> {
    /// The space.
    pub space: &'a dyn SearchSpace,
    /// Draws one architecture: uniformly, or from the controller once that is trained.
    pub draw: &'a mut dyn FnMut() -> Result<Arch, String>,
    /// The stream of random numbers for choices of the strategy's own.
    pub rng: &'a mut ChaCha8Rng,
}

/// What a strategy knows about its run when it is built.
#[derive(Clone)]
pub struct StrategyContext<D: Backend> {
    /// The space.
    pub space: Arc<dyn SearchSpace>,
    /// The supernet's layers and parameters.
    pub spec: Arc<NetworkSpec>,
    /// Where the weights live.
    pub device: D,
    /// Steps of the whole run, for schedules.
    pub total_steps: u64,
    /// Consecutive steps that one plan trains.
    pub steps_per_arch: usize,
}

/// The input of one layer under one path.
#[derive(Debug, Clone)]
pub struct LayerInput<D: Backend> {
    /// Index of the path in [`Step::paths`].
    pub path: usize,
    /// The layer.
    pub layer: LayerId,
    /// Its input `[n, h, w, c_in]`, before the layer's own ReLU.
    pub input: Tensor4<D>,
}

/// What the hooks of one step see and may edit.
#[derive(Debug)]
pub struct Step<D: Backend> {
    /// Steps before this one.
    pub number: u64,
    /// Epoch, from 0.
    pub epoch: usize,
    /// Learning rate.
    pub lr: f64,
    /// The architectures trained in this step.
    pub paths: Vec<Path>,
    /// The cross-entropy of each path, before its weight.
    pub losses: Vec<f64>,
    /// The active parameters, ascending.
    pub params: Vec<ParamStep<D>>,
    /// The captured inputs, path by path.
    pub inputs: Vec<LayerInput<D>>,
}

/// A way to share weights. It may hold tensors of its device, which for CUDA must stay on their thread.
pub trait SharingStrategy<D: Backend> {
    /// The architectures of the coming step, 1 to [`MAX_PATHS`].
    ///
    /// # Errors
    /// Whatever keeps the strategy from planning; ends the run. Likewise for the other hooks.
    fn plan(&mut self, sampler: &mut Sampler<'_>) -> Result<Vec<Path>, StrategyError>;

    /// Of how many images of a batch, at most, the inputs of a layer are needed: those of the first ones are kept.
    fn capture(&self, _layer: LayerId) -> usize {
        0
    }

    /// How many weight sets the supernet holds.
    fn weight_sets(&self) -> usize {
        1
    }

    /// Which weight set an architecture uses at a layer, below [`weight_sets`](Self::weight_sets).
    fn bind(&self, _arch: &Arch, _layer: LayerId) -> usize {
        0
    }

    /// May edit the gradients, before clipping.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn after_backward(&mut self, _step: &mut Step<D>) -> Result<(), StrategyError> {
        Ok(())
    }

    /// May edit the updates that are about to be added to the weights.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn before_apply(&mut self, _step: &mut Step<D>) -> Result<(), StrategyError> {
        Ok(())
    }

    /// Sees the weights after the update.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn after_update(&mut self, _step: &Step<D>) -> Result<(), StrategyError> {
        Ok(())
    }

    /// The planned architectures have had all their steps.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn end_arch(&mut self, _paths: &[Path]) -> Result<(), StrategyError> {
        Ok(())
    }

    /// An epoch, from 0, has ended.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn end_epoch(&mut self, _epoch: usize) -> Result<(), StrategyError> {
        Ok(())
    }

    /// Sentences for the log at the start of a run: costs, what is not covered.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Further sentences for the log, asked for after each epoch and given once.
    fn remarks(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Named numbers for the metrics, read once an epoch. Those named `time.*` may differ between two equal runs.
    fn telemetry(&self) -> Vec<(String, f64)> {
        Vec::new()
    }

    /// State to go on from later.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn save(&self) -> Result<State, StrategyError> {
        Ok(State::default())
    }

    /// Goes on from saved state.
    ///
    /// # Errors
    /// State that does not fit.
    fn load(&mut self, _state: &State) -> Result<(), StrategyError> {
        Ok(())
    }
}
