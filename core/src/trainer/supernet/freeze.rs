//! The sub-net of an architecture with fixed weights and batch-norm statistics.

use super::Supernet;
use crate::arch::Arch;
use crate::network::Program;
use crate::registry::TrainingDevice;
use crate::state::{HostTensor, State};
use crate::trainer::{FrozenNetwork, RunError, Weights};

impl<D: TrainingDevice> Supernet<D> {
    /// The sub-net of an architecture, with the weight sets that the strategy binds to its layers.
    ///
    /// # Errors
    /// An architecture of another space, evaluation by batch statistics, a layer without statistics, or a failing
    /// device or strategy.
    pub fn freeze(&self, arch: &Arch) -> Result<FrozenNetwork, RunError> {
        let program = self.program(arch)?;
        let model = self.with_weights(arch, self.eval_model(), |weights| self.model(&program, weights))?;
        self.strategy.deferred_bind_error()?;
        Ok(FrozenNetwork::new(self.training.network().spec().clone(), program, &model)?)
    }

    /// The weights of a program's layers as those of weight set 0, and their statistics.
    fn model(&self, program: &Program, weights: &Weights<'_, D>) -> Result<State, RunError> {
        let (network, mut model) = (weights.network, State::default());
        let spec = network.spec();
        for layer in &program.layers {
            for id in spec.layers[*layer].params.clone() {
                let (param, slot) = (&spec.params[id], network.slot((weights.bind)(*layer), id));
                let tensor = HostTensor { shape: param.shape.to_vec(), values: D::to_host(&network.params()[slot]) };
                model.tensors.insert(format!("set0/{}", param.name), tensor);
            }
        }
        if let Some(statistics) = self.evaluator.statistics(program, weights)? {
            statistics.save(spec, &mut model)?;
        }
        Ok(model)
    }
}
