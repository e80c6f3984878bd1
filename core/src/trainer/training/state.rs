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

use super::model::SavedParam;
use super::{Counters, Training};
use crate::registry::TrainingDevice;
use crate::state::{HostTensor, State, StateError};
use crate::trainer::RunError;

impl<D: TrainingDevice> Training<D> {
    /// Weights, velocities, running statistics and counters.
    ///
    /// # Errors
    /// See [`State::put`].
    pub fn save(&self) -> Result<State, StateError> {
        let (mut optimizer, mut names) = (State::default(), Vec::new());
        for (slot, velocity) in self.optimizer.velocities().iter().enumerate() {
            let Some(velocity) = velocity else { continue };
            let SavedParam { name, shape } = SavedParam::of(self.network(), slot);
            let velocity = HostTensor { shape: shape.to_vec(), values: D::to_host(velocity) };
            optimizer.tensors.insert(name.clone(), velocity);
            names.push(name);
        }
        optimizer.put("velocities", &names)?;
        let mut state = State::default();
        state.put_section("model", self.model.save()?);
        state.put_section("optimizer", optimizer);
        state.put("steps", &self.counters.steps)?;
        state.put("subnet_passes", &self.counters.subnet_passes)?;
        state.put("images", &self.counters.images)?;
        Ok(state)
    }

    /// Replaces the state by a saved one. After an error, some parts are replaced and others are not.
    ///
    /// # Errors
    /// A missing tensor, one of another shape or with values that are not finite, missing counters, or a failing
    /// device.
    pub fn load(&mut self, state: &State) -> Result<(), RunError> {
        self.load_model(&state.section("model"))?;
        let optimizer = state.section("optimizer");
        let names: Vec<String> = optimizer.get("velocities")?;
        let mut velocities = Vec::new();
        for slot in 0..self.network().params().len() {
            let param = SavedParam::of(self.network(), slot);
            let moved = names.contains(&param.name);
            velocities.push(moved.then(|| param.read(&optimizer, self.network().device())).transpose()?);
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
        self.model.load(model)
    }
}
