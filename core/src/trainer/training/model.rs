//! A network with its batch-norm statistics: the section `model` of saved state.

use crate::network::{Network, RunningMoments, tensor};
use crate::registry::TrainingDevice;
use crate::state::{HostTensor, State, StateError};
use crate::trainer::RunError;
use nas_ops::{Backend, OpError, Tensor4};

/// The weights of a network, and its running batch-norm statistics where evaluations need them.
#[derive(Debug, Clone)]
pub struct Model<D: TrainingDevice> {
    /// The weights.
    pub network: Network<D>,
    /// Running batch-norm statistics.
    pub running: Option<RunningMoments>,
}

impl<D: TrainingDevice> Model<D> {
    /// Weights and running statistics.
    ///
    /// # Errors
    /// See [`State::put`].
    pub fn save(&self) -> Result<State, StateError> {
        let mut state = State::default();
        for (slot, weight) in self.network.params().iter().enumerate() {
            let SavedParam { name, shape } = SavedParam::of(&self.network, slot);
            state.tensors.insert(name, HostTensor { shape: shape.to_vec(), values: D::to_host(weight) });
        }
        if let Some(running) = &self.running {
            running.save(self.network.spec(), &mut state)?;
        }
        Ok(state)
    }

    /// Replaces the weights and the running statistics by saved ones. After an error, some are replaced and others are
    /// not.
    ///
    /// # Errors
    /// A missing tensor, one of another shape or with values that are not finite, or a failing device.
    pub fn load(&mut self, state: &State) -> Result<(), RunError> {
        for slot in 0..self.network.params().len() {
            let weight = SavedParam::of(&self.network, slot).read(state, self.network.device())?;
            self.network.set_param(slot, weight);
        }
        if let Some(running) = &mut self.running {
            running.load(self.network.spec(), state)?;
        }
        Ok(())
    }
}

/// A parameter of one weight set in saved state.
pub(super) struct SavedParam {
    /// `setK/<layer>.<role>`.
    pub(super) name: String,
    pub(super) shape: [usize; 4],
}

impl SavedParam {
    pub(super) fn of<D: Backend>(network: &Network<D>, slot: usize) -> Self {
        let params = &network.spec().params;
        let (set, param) = (slot / params.len(), &params[slot % params.len()]);
        Self { name: format!("set{set}/{}", param.name), shape: param.shape }
    }

    pub(super) fn read<D: Backend>(&self, state: &State, device: &D) -> Result<Tensor4<D>, RunError> {
        let values = state.tensor(&self.name, &self.shape)?.values.clone();
        let value: Result<_, OpError> = tensor(device, values, self.shape);
        Ok(value?)
    }
}
