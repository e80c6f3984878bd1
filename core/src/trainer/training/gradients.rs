//! Forward and backward passes of all paths of a step, and the sum of their gradients.

use super::loss::{loss, targets};
use super::{Hooks, Regularisation, TrainPath, Training};
use crate::network::{Captured, LayerId, Network, ParamStep, Pass, Program};
use crate::registry::TrainingDevice;
use crate::strategy::{LayerInput, Step};
use crate::trainer::RunError;
use dfdx::prelude::{Backward, Gradients, OwnedTape, PutTape, Tensor, TryMul};
use nas_ops::{Backend, OpError, Tensor4};
use std::collections::BTreeMap;

impl<D: TrainingDevice> Training<D> {
    /// Runs all paths and fills in the losses, captured inputs, parameters and gradients of `step`. Returns the mean
    /// loss.
    ///
    /// The common prefix of all paths runs once. Each path's backward pass accumulates into the gradients of its
    /// activations; the prefix is back-propagated once, after all paths.
    pub(super) fn sum_gradients(
        &mut self,
        images: &Tensor4<D>,
        labels: &[usize],
        paths: &[TrainPath],
        hooks: &dyn Hooks<D>,
        step: &mut Step<D>,
    ) -> Result<f64, RunError> {
        let network = &self.model.network;
        let Regularisation { label_smoothing, auxiliary_weight, .. } = self.regularisation;
        let targets = targets::<D>(network.device(), labels, self.space.scale().classes, label_smoothing)?;
        let programs: Vec<&Program> = paths.iter().map(|path| &path.program).collect();
        let bind = |number: usize, layer| hooks.bind(&paths[number].path.arch, layer);
        let capture = |layer| hooks.capture(layer);
        let bind_first = |layer| bind(0, layer);
        let moments = self.model.running.is_some();
        let epochs = self.total_steps.div_ceil(self.steps_per_epoch);
        let drop_path = self.regularisation.drop_path(step.number, step.epoch, epochs);
        let pass = Pass {
            norms: None,
            capture: Some(&capture),
            bind: Some(&bind_first),
            moments,
            drop_path: drop_path.as_ref(),
        };
        let failed = OpError::device("loss");
        let mut sum = GradientSum { network, params: BTreeMap::new() };
        let mut total_loss = 0.0;
        let mut observed = Vec::new();

        let mut prefix_tape = OwnedTape::default();
        let prefix = network.run_prefix(images, &programs, &bind, &pass, &mut prefix_tape)?;
        for (number, TrainPath { path, program }) in paths.iter().enumerate() {
            let bind = |layer| bind(number, layer);
            let pass = Pass { bind: Some(&bind), ..pass };
            let mut tape = OwnedTape::default();
            let forward = network.run_suffix(prefix.clone(), program, &pass, &mut tape)?;
            let auxiliary = forward.auxiliary.map(|scores| (scores, auxiliary_weight));
            let (loss, value) = loss(forward.scores, auxiliary, tape, &targets)?;
            if !value.is_finite() {
                return Err(self.diverged(step.number, "the loss", &path.arch));
            }
            total_loss += value;
            step.losses.push(value);
            let gradients = loss.try_mul(path.weight).and_then(Backward::try_backward).map_err(&failed)?;
            sum.add(gradients, program.layers.iter().map(|layer| (*layer, bind(*layer))))?;
            let input = |c: Captured<D>| LayerInput { path: number, layer: c.layer, input: c.input };
            step.inputs.extend(forward.captured.into_iter().map(input));
            observed.extend(forward.moments);
        }
        if !prefix.layers.is_empty() {
            // The gradients of the prefix's results already hold the sum over the paths. A constant with the tape
            // starts the backward pass.
            let start: Tensor<(), f32, D> = network.device().try_zeros().map_err(&failed)?;
            let gradients = start.put_tape(prefix_tape).try_backward().map_err(&failed)?;
            sum.add(gradients, prefix.layers.iter().map(|layer| (*layer, bind(0, *layer))))?;
        }
        step.params = sum.params.into_values().collect();
        if let Some(running) = &mut self.model.running {
            observed.iter().for_each(|(layer, moments, count)| running.add_batch(*layer, moments, *count));
        }
        Ok(total_loss / paths.len() as f64)
    }
}

/// Gradients of the parameters that a step runs through, summed over its paths.
struct GradientSum<'a, D: Backend> {
    network: &'a Network<D>,
    /// By the position of the parameter in [`Network::params`].
    params: BTreeMap<usize, ParamStep<D>>,
}

impl<D: Backend> GradientSum<'_, D> {
    /// Adds the gradients of the parameters of some layers, each with its weight set.
    fn add(
        &mut self,
        mut gradients: Gradients<f32, D>,
        layers: impl Iterator<Item = (LayerId, usize)>,
    ) -> Result<(), OpError> {
        let network = self.network;
        for (layer, set) in layers {
            for param in network.spec().layers[layer].params.clone() {
                let slot = network.slot(set, param);
                let weight = &network.params()[slot];
                gradients.try_alloc_for(weight).map_err(OpError::device("loss"))?;
                let gradient = gradients.get(weight);
                match self.params.get_mut(&slot) {
                    Some(sum) => D::add_to(&mut [(&mut sum.gradient, &gradient)])?,
                    None => {
                        let role = network.spec().params[param].role;
                        let weight = weight.clone();
                        let new = ParamStep { param, set, layer, role, weight, gradient, update: None };
                        self.params.insert(slot, new);
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{NetworkSpec, tensor};
    use crate::registry::{SpaceDescriptor, find};
    use crate::space::Scale;
    use crate::streams::Streams;
    use dfdx::prelude::*;
    use std::sync::Arc;

    /// A node of the normal cell applies one operation twice to one predecessor, with the same weights.
    const REPEATED: &str = "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 0), ('skip_connect', 0), ('skip_connect', 1), \
        ('skip_connect', 0), ('skip_connect', 1), ('skip_connect', 0), ('skip_connect', 1)], normal_concat=range(2, 6), \
        reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), ('skip_connect', 2), \
        ('max_pool_3x3', 0), ('skip_connect', 2), ('max_pool_3x3', 0)], reduce_concat=range(2, 6))";

    #[test]
    fn a_layer_that_is_used_twice_has_the_gradient_of_both_uses_once() {
        let scale = Scale { image: [8, 8, 3], classes: 4, width: 4, cells: 3 };
        let options = "predecessors = \"with_replacement\"".parse().unwrap();
        let space = (find::<SpaceDescriptor>("darts").unwrap().build)(scale, &options).unwrap();
        let spec = Arc::new(NetworkSpec::supernet(&*space).unwrap());
        let program = spec.program(&*space, &space.parse(REPEATED).unwrap()).unwrap();
        assert!(program.layers.is_sorted_by(|a, b| a < b), "{:?}", program.layers);
        let network = Network::new(spec, &Cpu::default(), 1, &Streams::new(0)).unwrap();
        let images = tensor(&Cpu::default(), (0..384).map(|i| (i as f32).sin()).collect(), [2, 8, 8, 3]).unwrap();
        let gradients = || {
            let mut tape = OwnedTape::default();
            let forward = network.forward(images.clone(), &program, &Pass::PLAIN, &mut tape).unwrap();
            forward.scores.put_tape(tape).square().sum::<(), _>().backward()
        };
        let mut sum = GradientSum { network: &network, params: BTreeMap::new() };
        sum.add(gradients(), program.layers.iter().map(|layer| (*layer, 0))).unwrap();
        let expected = gradients();
        assert!(!sum.params.is_empty());
        for step in sum.params.values() {
            assert_eq!(step.gradient.as_vec(), expected.get(&step.weight).as_vec(), "parameter {}", step.param);
        }
    }
}
