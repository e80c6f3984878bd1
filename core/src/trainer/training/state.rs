//! Saved state of a training.
//!
//! | section | entries |
//! |---|---|
//! | `model` | tensors `setK/<layer>.weight`, `.bias`, `.scale` and `.shift` of each weight set K; scale and shift are the affine parameters of batch normalisation |
//! | `model` | where running statistics are kept: tensors `<layer>.running_mean` and `.running_var`, counts `<layer>.num_batches_tracked` |
//! | `optimizer` | the velocity of each parameter that has one, under the name of the parameter; the list `velocities` of these names |
//! | (none) | the counts `steps`, `subnet_passes` and `images` |
//!
//! Layer names and suffixes are those of a PyTorch state dictionary. Convolution weights have the shape
//! `[kh, kw, c_in / groups, c_out]`, PyTorch's have `[c_out, c_in / groups, kh, kw]`.

use super::{Counters, Training};
use crate::network::{Network, tensor};
use crate::registry::Target;
use crate::state::{HostTensor, State, StateError};
use crate::trainer::RunError;
use nas_ops::{Backend, OpError, Tensor4};

impl<D: Target> Training<D> {
    /// Weights, velocities, running statistics and counters.
    ///
    /// # Errors
    /// See [`State::put`].
    pub fn save(&self) -> Result<State, StateError> {
        let (mut model, mut optimizer, mut names) = (State::default(), State::default(), Vec::new());
        for (slot, (weight, velocity)) in self.network.params().iter().zip(self.optimizer.velocities()).enumerate() {
            let Param { name, shape } = Param::of(&self.network, slot);
            let host = |tensor| HostTensor { shape: shape.to_vec(), values: D::to_host(tensor) };
            model.tensors.insert(name.clone(), host(weight));
            if let Some(velocity) = velocity {
                optimizer.tensors.insert(name.clone(), host(velocity));
                names.push(name);
            }
        }
        optimizer.put("velocities", &names)?;
        if let Some(running) = &self.running {
            running.save(self.network.spec(), &mut model)?;
        }
        let mut state = State::default();
        state.put_section("model", model);
        state.put_section("optimizer", optimizer);
        state.put("steps", &self.counters.steps)?;
        state.put("subnet_passes", &self.counters.subnet_passes)?;
        state.put("images", &self.counters.images)?;
        Ok(state)
    }

    /// Replaces the state by a saved one. After an error, some parts are replaced and others are not.
    ///
    /// # Errors
    /// A missing tensor, one of another shape or with values that are not finite, missing counters, or a failing device.
    pub fn load(&mut self, state: &State) -> Result<(), RunError> {
        self.load_model(&state.section("model"))?;
        let optimizer = state.section("optimizer");
        let names: Vec<String> = optimizer.get("velocities")?;
        let mut velocities = Vec::new();
        for slot in 0..self.network.params().len() {
            let param = Param::of(&self.network, slot);
            let moved = names.contains(&param.name);
            velocities.push(moved.then(|| param.read(&optimizer, self.network.device())).transpose()?);
        }
        let found = velocities.iter().flatten().count();
        if found != names.len() {
            let expected = format!("velocities of {} parameters of this network", names.len());
            return Err(StateError { expected, found: found.to_string() }.into());
        }
        self.optimizer.set_velocities(velocities);
        self.counters = Counters {
            steps: state.count("steps")?,
            subnet_passes: state.count("subnet_passes")?,
            images: state.count("images")?,
        };
        Ok(())
    }

    /// Replaces the weights and the running statistics by those of a saved section `model`.
    ///
    /// # Errors
    /// See [`load`](Self::load).
    pub fn load_model(&mut self, model: &State) -> Result<(), RunError> {
        for slot in 0..self.network.params().len() {
            let weight = Param::of(&self.network, slot).read(model, self.network.device())?;
            self.network.set_param(slot, weight);
        }
        if let Some(running) = &mut self.running {
            running.load(self.network.spec(), model)?;
        }
        Ok(())
    }
}

/// A parameter of one weight set in saved state.
struct Param {
    /// `setK/<layer>.<role>`.
    name: String,
    shape: [usize; 4],
}

impl Param {
    fn of<D: Backend>(network: &Network<D>, slot: usize) -> Self {
        let params = &network.spec().params;
        let (set, param) = (slot / params.len(), &params[slot % params.len()]);
        Self { name: format!("set{set}/{}", param.name), shape: param.shape }
    }

    fn read<D: Backend>(&self, state: &State, device: &D) -> Result<Tensor4<D>, RunError> {
        let values = state.tensor(&self.name, &self.shape)?.values.clone();
        let value: Result<_, OpError> = tensor(device, values, self.shape);
        Ok(value?)
    }
}
