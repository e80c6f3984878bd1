//! One training step of the shared weights.

use super::{RunError, Session};
use crate::arch::Arch;
use crate::data::Batch;
use crate::event::StepDone;
use crate::network::{LayerId, Pass, tensor};
use crate::registry::Target;
use crate::strategy::{LayerInput, MAX_PATHS, ParamStep, Path, Sampler, Step, StrategyError};
use dfdx::prelude::{
    Backward, Gradients, HasErr, HasShape, MeanTo, NoneTape, OwnedTape, PutTape, ReshapeTo, Tape, Tensor, TryMul,
};
use dfdx::shapes::Axis;
use nas_ops::{OpError, Tensor4};
use std::collections::BTreeMap;

/// What a step did, beside its event.
pub(super) struct StepOutcome {
    pub(super) done: StepDone,
    pub(super) lr: f64,
    pub(super) gradient_norm: f64,
}

impl<D: Target> Session<D> {
    /// Trains one batch.
    pub(super) fn step(&mut self, batch: Batch, epoch: usize) -> Result<StepOutcome, RunError> {
        let watched = self.next_plan()?.map(|arch| self.watch(arch)).transpose()?;

        let images = tensor(self.network.device(), batch.images, batch.shape)?;
        let t = &self.config.train;
        let lr = t.lr_schedule.lr(t.lr, t.lr_min, self.steps, self.total_steps);
        let paths = self.plan.paths.clone();
        let mut step = Step {
            number: self.steps,
            epoch,
            lr,
            paths: paths.clone(),
            losses: Vec::new(),
            params: Vec::new(),
            inputs: Vec::new(),
        };
        let loss = self.backward(&images, &batch.labels, &mut step)?;
        let gradient_norm = self.update(&mut step)?;

        self.steps += 1;
        self.subnet_passes += paths.len() as u64;
        self.images += (paths.len() * batch.labels.len()) as u64;
        for path in &paths {
            self.audit.record(path.arch.choices())?;
        }
        self.plan.left -= 1;
        if self.plan.left == 0 {
            self.strategy.end_arch(&paths).map_err(|e| self.strategy_error(e))?;
        }
        self.watched(watched)?;
        let done = StepDone { step: step.number, epoch, loss, images: batch.labels.len(), paths: paths.len() };
        Ok(StepOutcome { done, lr, gradient_norm })
    }

    /// Plans anew when the current plan has had its steps. Returns the previous architecture where this step should
    /// measure what happens to it.
    pub(super) fn next_plan(&mut self) -> Result<Option<Arch>, RunError> {
        if self.plan.left > 0 {
            return Ok(None);
        }
        let old = self.plan.paths.last().map(|path| path.arch.clone());
        let Self { space, controller, controller_draws, drawn, rngs, strategy, .. } = self;
        let mut draw = || match (&*drawn, *controller_draws) {
            (Some(arch), _) => Ok(arch.clone()),
            (None, true) => controller.sample(&mut rngs.controller).map_err(|e| e.to_string()),
            (None, false) => Ok(space.sample(&mut rngs.archs)),
        };
        let mut sampler = Sampler { space: &**space, draw: &mut draw, rng: &mut rngs.strategy };
        let paths = strategy.plan(&mut sampler).map_err(|e| self.strategy_error(e))?;
        self.check_plan(&paths)?;
        self.plan.paths = paths;
        self.plan.left = self.steps_per_arch;
        let due = self.watching();
        Ok(old.filter(|arch| due && self.plan.paths.iter().all(|path| path.arch != *arch)))
    }

    fn check_plan(&self, paths: &[Path]) -> Result<(), RunError> {
        let fail = |problem: String| Err(RunError::Plan { strategy: self.config.strategy.name.clone(), problem });
        if paths.is_empty() || paths.len() > MAX_PATHS {
            return fail(format!("{} architectures for one step, expected 1 to {MAX_PATHS}", paths.len()));
        }
        for path in paths {
            if let Err(error) = self.space.validate(&path.arch) {
                return fail(error.to_string());
            }
            if !path.weight.is_finite() {
                return fail(format!("a loss weight of {}, expected a finite number", path.weight));
            }
        }
        Ok(())
    }

    /// Runs all paths and sums their gradients; returns the mean loss. What all paths begin with, the stem, runs once, and
    /// its backward pass once for the sum of what arrives from them.
    fn backward(&mut self, images: &Tensor4<D>, labels: &[usize], step: &mut Step<D>) -> Result<f64, RunError> {
        let targets = one_hot::<D>(self.network.device(), labels, self.space.scale().classes)?;
        let paths = &self.plan.paths;
        let programs = paths.iter().map(|path| self.program(&path.arch)).collect::<Result<Vec<_>, _>>()?;
        let bind = |number: usize, layer| self.strategy.bind(&paths[number].arch, layer);
        let capture = |layer| self.strategy.capture(layer);
        let moments = self.running.is_some();
        let mut params = BTreeMap::new();
        let mut losses = 0.0;
        let failed = OpError::device("loss");
        let first = |layer| bind(0, layer);
        let pass = Pass { norms: None, capture: Some(&capture), bind: Some(&first), moments };
        let mut stem = OwnedTape::default();
        let beginning = self.network.begin(images, &programs, &bind, &pass, &mut stem)?;
        for (number, (path, program)) in paths.iter().zip(&programs).enumerate() {
            let bind = |layer| bind(number, layer);
            let pass = Pass { bind: Some(&bind), ..pass };
            let mut tape = OwnedTape::default();
            let forward = self.network.finish(beginning.clone(), program, &pass, &mut tape)?;
            let (loss, value) = loss(forward.scores, tape, targets.clone())?;
            if !value.is_finite() {
                return Err(self.diverged("the loss", &path.arch));
            }
            losses += value;
            step.losses.push(value);
            let gradients = loss.try_mul(path.weight).and_then(Backward::try_backward).map_err(&failed)?;
            self.add_gradients(&mut params, gradients, program.layers.iter().map(|layer| (*layer, bind(*layer))))?;
            let input = |c: crate::network::Captured<D>| LayerInput { path: number, layer: c.layer, input: c.input };
            step.inputs.extend(forward.captured.into_iter().map(input));
            if let Some(running) = &mut self.running {
                forward.moments.iter().for_each(|(layer, moments, count)| running.observe(*layer, moments, *count));
            }
        }
        if !beginning.layers.is_empty() {
            // The gradient is already where the tape reads it; a number of its own sets it off.
            let start: Tensor<(), f32, D> = self.network.device().try_zeros().map_err(&failed)?;
            let gradients = start.put_tape(stem).try_backward().map_err(&failed)?;
            let shared = beginning.layers.iter().map(|layer| (*layer, bind(0, *layer)));
            self.add_gradients(&mut params, gradients, shared)?;
        }
        step.params = params.into_values().collect();
        Ok(losses / self.plan.paths.len() as f64)
    }

    /// Adds the gradients of the parameters of some layers, each with its weight set, to those of other paths.
    fn add_gradients(
        &self,
        params: &mut BTreeMap<usize, ParamStep<D>>,
        mut gradients: Gradients<f32, D>,
        layers: impl Iterator<Item = (LayerId, usize)>,
    ) -> Result<(), OpError> {
        for (layer, set) in layers {
            for param in self.network.spec().layers[layer].params.clone() {
                let slot = self.network.slot(set, param);
                let weight = &self.network.params()[slot];
                gradients.try_alloc_for(weight).map_err(OpError::device("loss"))?;
                let gradient = gradients.get(weight);
                match params.get_mut(&slot) {
                    Some(known) => D::add_to(&mut [(&mut known.gradient, &gradient)])?,
                    None => {
                        let role = self.network.spec().params[param].role;
                        let weight = weight.clone();
                        let new = ParamStep { param, set, layer, role, weight, gradient, update: None };
                        params.insert(slot, new);
                    }
                }
            }
        }
        Ok(())
    }

    /// Turns gradients into new weights, with the strategy's say; returns the norm of the gradients.
    fn update(&mut self, step: &mut Step<D>) -> Result<f64, RunError> {
        self.strategy.after_backward(step).map_err(|e| self.strategy_error(e))?;
        let network = &self.network;
        let norm = self.optimizer.prepare(&mut step.params, step.lr, |p| network.slot(p.set, p.param))?;
        if !norm.is_finite() {
            return Err(self.diverged("the gradient norm", &step.paths[0].arch));
        }
        self.strategy.before_apply(step).map_err(|e| self.strategy_error(e))?;
        self.network.apply(&mut step.params)?;
        self.strategy.after_update(step).map_err(|e| self.strategy_error(e))?;
        Ok(norm)
    }

    pub(super) fn strategy_error(&self, source: StrategyError) -> RunError {
        RunError::Strategy { strategy: self.config.strategy.name.clone(), source }
    }
}

/// `[n, classes]`.
pub(super) type Matrix<D, T = NoneTape> = Tensor<(usize, usize), f32, D, T>;

/// A loss that remembers how it came about.
type Loss<D> = Tensor<(), f32, D, OwnedTape<f32, D>>;

/// The cross-entropy of scores `[n, 1, 1, classes]`, to go back from and as a number.
pub(super) fn loss<D: Target>(
    scores: Tensor4<D>,
    tape: OwnedTape<f32, D>,
    targets: Matrix<D>,
) -> Result<(Loss<D>, f64), OpError> {
    let shape = *targets.shape();
    let scores = scores.put_tape(tape).try_reshape_like(&shape);
    let loss = scores.and_then(|scores| cross_entropy(scores, targets)).map_err(OpError::device("loss"))?;
    let value = f64::from(loss.as_vec()[0]);
    Ok((loss, value))
}

/// `-mean over n of sum over classes of targets * log_softmax(scores)`.
fn cross_entropy<D: Target, T: Tape<f32, D>>(
    scores: Matrix<D, T>,
    targets: Matrix<D>,
) -> Result<Tensor<(), f32, D, T>, <D as HasErr>::Err> {
    let classes = targets.shape().1 as f32;
    scores.try_log_softmax::<Axis<1>>()?.try_mul(targets)?.try_mean()?.try_mul(-classes)
}

/// Labels as probabilities `[n, classes]`.
pub(super) fn one_hot<D: Target>(device: &D, labels: &[usize], classes: usize) -> Result<Matrix<D>, OpError> {
    let mut values = vec![0.0; labels.len() * classes];
    for (row, label) in values.chunks_mut(classes).zip(labels) {
        row[*label] = 1.0;
    }
    device.try_tensor_from_vec(values, (labels.len(), classes)).map_err(OpError::device("labels"))
}
