//! Exponential moving average of the weights of a network.

use crate::registry::TrainingDevice;
use crate::trainer::training::Model;
use dfdx::prelude::{TryAdd, TryMul};
use nas_ops::OpError;

/// Average of the weights and of the running batch-norm statistics after each step: `a = d a + (1 - d) w`, with the first
/// weights as the first average. It is evaluated and saved in place of the weights (Polyak and Juditsky 1992; averages of
/// the statistics as in `ModelEmaV2` of timm).
pub struct WeightAverage<D: TrainingDevice> {
    /// The decay `d`, in `(0, 1)`.
    decay: f32,
    /// The average; none before the first step.
    pub model: Option<Model<D>>,
}

impl<D: TrainingDevice> WeightAverage<D> {
    /// An average without weights.
    pub fn new(decay: f64) -> Self {
        Self { decay: decay as f32, model: None }
    }

    /// Adds the weights and statistics after a step.
    ///
    /// # Errors
    /// A failing device.
    pub fn add(&mut self, newest: &Model<D>) -> Result<(), OpError> {
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
}
