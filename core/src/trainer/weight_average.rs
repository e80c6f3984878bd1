//! Exponential moving average of the weights of a network.

use super::RunError;
use super::training::Model;
use crate::registry::TrainingDevice;
use crate::state::State;
use dfdx::prelude::{TryAdd, TryMul};
use nas_ops::OpError;

/// Section of saved state with the average.
const SECTION: &str = "evaluated";

/// Average of the weights and of the running batch-norm statistics after each step: `a = d a + (1 - d) w`, with the
/// first weights as the first average. It is evaluated and saved in place of the weights (Polyak and Juditsky 1992;
/// averages of the statistics as in `ModelEmaV2` of timm).
pub struct WeightAverage<D: TrainingDevice> {
    /// The decay `d`, in `[0, 1)`; 0 for no average.
    decay: f32,
    /// The average; none before the first step.
    model: Option<Model<D>>,
}

impl<D: TrainingDevice> WeightAverage<D> {
    /// An average before the first step. With a decay of 0, no average is kept.
    pub fn new(decay: f64) -> Self {
        Self { decay: decay as f32, model: None }
    }

    /// Adds the weights and statistics after a step.
    ///
    /// # Errors
    /// A failing device.
    pub fn add(&mut self, newest: &Model<D>) -> Result<(), OpError> {
        if self.decay == 0.0 {
            return Ok(());
        }
        let Some(average) = &mut self.model else {
            self.model = Some(newest.clone());
            return Ok(());
        };
        for (slot, weight) in newest.network.params().iter().enumerate() {
            let old = average.network.params()[slot].clone();
            let new = weight.clone().try_mul(1.0 - self.decay);
            let sum = old.try_mul(self.decay).and_then(|old| old.try_add(new?));
            average.network.set_param(slot, sum.map_err(OpError::device("average of weights"))?);
        }
        if let (Some(average), Some(newest)) = (&mut average.running, &newest.running) {
            average.blend(newest, self.decay);
        }
        Ok(())
    }

    /// The model to evaluate: the average, or `weights` if there is none.
    pub fn or<'a>(&'a self, weights: &'a Model<D>) -> &'a Model<D> {
        self.model.as_ref().unwrap_or(weights)
    }

    /// Adds the average to saved state, if there is one.
    ///
    /// # Errors
    /// See [`State::put`].
    pub fn save(&self, state: &mut State) -> Result<(), RunError> {
        if let Some(average) = &self.model {
            state.put_section(SECTION, average.save()?);
        }
        Ok(())
    }

    /// Reads the average from saved state that has one. `weights` are any of the same network.
    ///
    /// # Errors
    /// Missing or misfitting entries, or a failing device.
    pub fn load(&mut self, state: &State, weights: &Model<D>) -> Result<(), RunError> {
        let saved = state.section(SECTION);
        if saved != State::default() {
            let mut model = weights.clone();
            model.load(&saved)?;
            self.model = Some(model);
        }
        Ok(())
    }
}
