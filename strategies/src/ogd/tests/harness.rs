//! Training steps on a small supernet, without a trainer, so that tests can read every intermediate value.

use super::super::Ogd;
use super::super::options::OgdOptions;
use crate::test_device::{TestDevice, test_device};
use dfdx::prelude::*;
use nas_core::arch::Arch;
use nas_core::network::{Network, NetworkSpec, Pass, Program};
use nas_core::optimizer::Sgd;
use nas_core::options::parse_options;
use nas_core::space::{Scale, SearchSpace, Tiny};
use nas_core::strategy::{LayerInput, ParamStep, Path, SharingStrategy, Step, StrategyContext};
use nas_core::streams::Streams;
use nas_ops::Tensor4;
use rand::Rng;
use std::sync::Arc;

/// Length of the run for the alpha schedule.
const TOTAL_STEPS: u64 = 20;

/// A supernet of the space `tiny`, its optimizer and, except for plain training, a strategy.
pub struct Harness {
    pub space: Arc<dyn SearchSpace>,
    pub network: Network<TestDevice>,
    pub optimizer: Sgd<TestDevice>,
    pub strategy: Option<Ogd<TestDevice>>,
    pub steps: u64,
}

impl Harness {
    /// A harness with `ogd` and these options, or with plain training.
    pub fn new(options: Option<&str>) -> Self {
        let scale = Scale { image: [8, 8, 1], classes: 5, width: 6, cells: 1 };
        let space: Arc<dyn SearchSpace> = Arc::new(Tiny::new(scale));
        let spec = Arc::new(NetworkSpec::supernet(&*space).unwrap());
        let network = Network::new(spec, &test_device(), 1, &Streams::new(1)).unwrap();
        let optimizer = Sgd::new(0.9, false, 3e-4, 5.0, network.params().len());
        let mut new = Self { space, network, optimizer, strategy: None, steps: 0 };
        new.strategy = options.map(|text| new.strategy(text));
        new
    }

    /// A new instance of `ogd` for this network.
    pub fn strategy(&self, options: &str) -> Ogd<TestDevice> {
        let options: OgdOptions = parse_options("strategy", &options.parse().unwrap()).unwrap();
        let context = StrategyContext {
            space: self.space.clone(),
            spec: self.network.spec().clone(),
            device: self.network.device().clone(),
            total_steps: TOTAL_STEPS,
            steps_per_arch: 1,
        };
        Ogd::new(options, &context).unwrap()
    }

    /// Random images and labels.
    pub fn batch(&self, n: usize, seed: u64) -> (Tensor4<TestDevice>, Vec<usize>) {
        let mut rng = Streams::new(seed).rng("batch", 0);
        let values: Vec<f32> = (0..n * 64).map(|_| rng.random_range(-1.0..1.0)).collect();
        let labels = (0..n).map(|i| i % 5).collect();
        (self.network.device().tensor_from_vec(values, (n, 8, 8, 1)), labels)
    }

    pub fn program(&self, arch: &str) -> (Arch, Program) {
        let arch = self.space.parse(arch).unwrap();
        let program = self.network.spec().program(&*self.space, &arch).unwrap();
        (arch, program)
    }

    /// Class scores of an architecture.
    pub fn scores(&self, arch: &str, images: &Tensor4<TestDevice>) -> Vec<f64> {
        let forward = self.network.infer(images.clone(), &self.program(arch).1, &Pass::PLAIN).unwrap();
        super::f64s(&forward.scores.as_vec())
    }

    /// Values of all parameters.
    pub fn weights(&self) -> Vec<Vec<f32>> {
        self.network.params().iter().map(|p| p.as_vec()).collect()
    }

    /// Trains one architecture for one step. Returns the step with the applied updates, and with those before
    /// projection.
    pub fn step(
        &mut self,
        arch: &str,
        batch: &(Tensor4<TestDevice>, Vec<usize>),
        lr: f64,
    ) -> (Step<TestDevice>, Step<TestDevice>) {
        let (arch, program) = self.program(arch);
        let (images, labels) = batch;
        let mut tape = OwnedTape::default();
        let capture = |layer| self.strategy.as_ref().map_or(0, |s| SharingStrategy::<TestDevice>::capture(s, layer));
        let pass = Pass { capture: Some(&capture), ..Pass::PLAIN };
        let forward = self.network.forward(images.clone(), &program, &pass, &mut tape).unwrap();
        let mut targets = vec![0.0; labels.len() * 5];
        labels.iter().enumerate().for_each(|(i, label)| targets[i * 5 + label] = 1.0);
        let targets = self.network.device().tensor_from_vec(targets, (labels.len(), 5));
        let scores = forward.scores.put_tape(tape).reshape_like(&(labels.len(), 5));
        let loss = cross_entropy_with_logits_loss(scores, targets);
        let losses = vec![f64::from(loss.array())];
        let gradients = loss.backward();
        let spec = self.network.spec().clone();
        let params = program.layers.iter().flat_map(|layer| spec.layers[*layer].params.clone().map(|p| (*layer, p)));
        let params = params.map(|(layer, param)| {
            let weight = self.network.params()[param].clone();
            let gradient = gradients.get(&weight);
            ParamStep { param, set: 0, layer, role: spec.params[param].role, weight, gradient, update: None }
        });
        let inputs = forward.captured.into_iter().map(|c| LayerInput { path: 0, layer: c.layer, input: c.input });
        let paths = vec![Path { arch, weight: 1.0 }];
        let (params, inputs) = (params.collect(), inputs.collect());
        let mut step = Step { number: self.steps, epoch: 0, lr, paths, losses, params, inputs };
        if let Some(strategy) = &mut self.strategy {
            strategy.after_backward(&mut step).unwrap();
        }
        self.optimizer.compute_updates(&mut step.params, lr, |p| p.param).unwrap();
        let unprojected = copy(&step);
        if let Some(strategy) = &mut self.strategy {
            strategy.before_apply(&mut step).unwrap();
        }
        self.network.apply(&mut step.params).unwrap();
        if let Some(strategy) = &mut self.strategy {
            strategy.after_update(&step).unwrap();
        }
        self.steps += 1;
        (step, unprojected)
    }

    /// Ends the consecutive steps of an architecture.
    pub fn end_arch(&mut self) {
        if let Some(strategy) = &mut self.strategy {
            strategy.end_arch(&[]).unwrap();
        }
    }

    /// The metrics of the strategy, without times.
    pub fn metrics(&self) -> Vec<(String, f64)> {
        let numbers = SharingStrategy::<TestDevice>::metrics(self.strategy.as_ref().unwrap());
        numbers.into_iter().filter(|(name, _)| !name.starts_with("time.")).collect()
    }

    /// The metric `name`.
    pub fn metric(&self, name: &str) -> f64 {
        self.metrics().into_iter().find(|(n, _)| n == name).unwrap().1
    }
}

fn copy(step: &Step<TestDevice>) -> Step<TestDevice> {
    let copy = |p: &ParamStep<TestDevice>| ParamStep {
        param: p.param,
        set: p.set,
        layer: p.layer,
        role: p.role,
        weight: p.weight.clone(),
        gradient: p.gradient.clone(),
        update: p.update.clone(),
    };
    let Step { number, epoch, lr, ref paths, ref losses, ref params, ref inputs } = *step;
    let (paths, losses, inputs) = (paths.clone(), losses.clone(), inputs.clone());
    Step { number, epoch, lr, paths, losses, params: params.iter().map(copy).collect(), inputs }
}
