//! Stand-alone training: one architecture with weights of its own, from scratch. What rankings are judged by.

use super::evaluate::Tally;
use super::images::TrainImages;
use super::session::wire_error;
use super::step::{loss, one_hot};
use super::{RunError, build_space};
use crate::arch::Arch;
use crate::config::{RunConfig, TruthSamples};
use crate::data::{Dataset, EvalBatches, Images, Loader, Normalise};
use crate::network::{Network, NetworkSpec, Pass, Program, RunningMoments, tensor};
use crate::optimizer::Sgd;
use crate::registry::Target;
use crate::space::SearchSpace;
use crate::strategy::ParamStep;
use crate::streams::Streams;
use dfdx::prelude::{Backward, OwnedTape};
use nas_ops::{OpError, Tensor4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Trains architectures alone, with the `[train]` recipe of a configuration.
///
/// The network is the stand-alone form: every batch normalisation has scale and shift, and is evaluated with its
/// running statistics. It trains on the images that train shared weights in a run of the same seed, and is judged by
/// the data set's test images, or by all validation images where there is no test part. The seed decides the split,
/// the first weights and the order of the images, not the architectures.
pub struct Alone<D: Target> {
    config: RunConfig,
    dataset: Arc<Dataset>,
    space: Arc<dyn SearchSpace>,
    device: D,
}

/// What comes of one stand-alone training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AloneResult {
    /// Accuracy in percent.
    pub accuracy: f64,
    /// Mean training loss of the last epoch.
    pub train_loss: f64,
    /// Parameters.
    pub params: u64,
    /// Multiply-adds for one image.
    pub macs: u64,
}

impl<D: Target> Alone<D> {
    /// Prepares trainings and checks that one is possible.
    ///
    /// # Errors
    /// As [`Session::new`](super::Session::new).
    pub fn new(config: &RunConfig, dataset: Arc<Dataset>, device: &D) -> Result<Self, RunError> {
        let shape = dataset.shape();
        let space = build_space(config, [shape.height, shape.width, shape.channels], dataset.classes.len())?;
        let alone = Self { config: config.clone(), dataset, space, device: device.clone() };
        alone.compile(&alone.space.nth(alone.space.count() - 1))?;
        alone.images(&Streams::new(config.seed))?;
        Ok(alone)
    }

    /// The space at its scale.
    pub fn space(&self) -> &Arc<dyn SearchSpace> {
        &self.space
    }

    /// The architectures to train: distinct random ones from a stream of their own, of which a larger number begins
    /// with a smaller, or the whole space.
    ///
    /// # Errors
    /// More than there are.
    pub fn sample(&self, samples: TruthSamples) -> Result<Vec<Arch>, RunError> {
        let count = self.space.count();
        match samples {
            TruthSamples::All => Ok((0..count).map(|index| self.space.nth(index)).collect()),
            TruthSamples::Some(n) if n > 0 && n as u64 <= count => {
                let mut rng = Streams::new(self.config.seed).rng("truth architectures", 0);
                let mut found = std::collections::BTreeSet::new();
                let draws = std::iter::repeat_with(|| self.space.sample(&mut rng));
                Ok(draws.filter(|arch| found.insert(arch.clone())).take(n).collect())
            }
            TruthSamples::Some(n) => {
                let expected = format!("`all` or 1 to {count}, the architectures of space {}", self.space.name());
                let (key, found) = ("--samples", n.to_string());
                Err(crate::config::ConfigError::Range { key, expected, found }.into())
            }
        }
    }

    /// Trains one architecture from scratch; `None` if `cancel` came first.
    ///
    /// # Errors
    /// An architecture of another space, diverged training, a failing device.
    pub fn train(&self, arch: &Arch, seed: u64, cancel: &AtomicBool) -> Result<Option<AloneResult>, RunError> {
        let streams = Streams::new(seed);
        let (spec, program) = self.compile(arch)?;
        let images = self.images(&streams)?;
        let network = Network::new(spec.clone(), &self.device, 1, &streams)?;
        let t = &self.config.train;
        let mut training = Training {
            alone: self,
            arch,
            running: RunningMoments::exponential(&spec),
            optimizer: Sgd::new(t.momentum, t.nesterov, t.weight_decay, t.clip, spec.params.len()),
            network,
            program: &program,
            steps: 0,
            total_steps: (t.epochs * images.loader.batches()) as u64,
        };
        let mut train_loss = 0.0;
        for epoch in 0..t.epochs {
            let mut losses = 0.0;
            for batch in images.loader.epoch(epoch as u64, 0)? {
                if cancel.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                losses += training.step(batch?, epoch)?;
            }
            train_loss = losses / images.loader.batches() as f64;
        }
        let accuracy = training.accuracy(&images)?;
        Ok(Some(AloneResult { accuracy, train_loss, params: program.params, macs: program.macs }))
    }

    fn compile(&self, arch: &Arch) -> Result<(Arc<NetworkSpec>, Program), RunError> {
        self.space.validate(arch)?;
        let (spec, program) = NetworkSpec::stand_alone(&*self.space, arch).map_err(|e| wire_error(&*self.space, e))?;
        Ok((Arc::new(spec), program))
    }

    fn images(&self, streams: &Streams) -> Result<Parts, RunError> {
        let TrainImages { split, normalise, loader } = TrainImages::new(&self.config, &self.dataset, *streams)?;
        let judges = match &self.dataset.test {
            Some(test) => (0..test.len()).collect(),
            None => split.valid,
        };
        Ok(Parts { loader, normalise, judges })
    }
}

/// What one training reads.
struct Parts {
    loader: Loader,
    normalise: Normalise,
    /// The images that accuracy is measured on, in the test part or, without one, in the whole.
    judges: Vec<usize>,
}

/// One architecture under way.
struct Training<'a, D: Target> {
    alone: &'a Alone<D>,
    arch: &'a Arch,
    network: Network<D>,
    program: &'a Program,
    running: RunningMoments,
    optimizer: Sgd<D>,
    steps: u64,
    total_steps: u64,
}

impl<D: Target> Training<'_, D> {
    /// Trains one batch; returns its loss.
    fn step(&mut self, batch: crate::data::Batch, epoch: usize) -> Result<f64, RunError> {
        let t = &self.alone.config.train;
        let lr = t.lr_schedule.lr(t.lr, t.lr_min, self.steps, self.total_steps);
        let device = &self.alone.device;
        let targets = one_hot::<D>(device, &batch.labels, self.alone.space.scale().classes)?;
        let images = tensor(device, batch.images, batch.shape)?;
        let failed = OpError::device("loss");
        let mut tape = OwnedTape::default();
        let pass = Pass { moments: true, ..Pass::PLAIN };
        let forward = self.network.forward(images, self.program, &pass, &mut tape)?;
        let (loss, value) = loss(forward.scores, tape, targets)?;
        if !value.is_finite() {
            return Err(self.diverged("the loss", epoch, lr));
        }
        let mut gradients = loss.try_backward().map_err(&failed)?;
        let mut params: Vec<ParamStep<D>> = Vec::new();
        for &layer in &self.program.layers {
            for param in self.network.spec().layers[layer].params.clone() {
                let weight = self.network.params()[param].clone();
                gradients.try_alloc_for(&weight).map_err(&failed)?;
                let (gradient, role) = (gradients.get(&weight), self.network.spec().params[param].role);
                params.push(ParamStep { param, set: 0, layer, role, weight, gradient, update: None });
            }
        }
        if !self.optimizer.prepare(&mut params, lr, |p| p.param)?.is_finite() {
            return Err(self.diverged("the gradient norm", epoch, lr));
        }
        self.network.apply(&mut params)?;
        forward.moments.iter().for_each(|(layer, moments, count)| self.running.observe(*layer, moments, *count));
        self.steps += 1;
        Ok(value)
    }

    /// Accuracy in percent with running statistics.
    fn accuracy(&self, parts: &Parts) -> Result<f64, RunError> {
        let dataset = &self.alone.dataset;
        let images: &Images = dataset.test.as_ref().unwrap_or(&dataset.train);
        let norms = self.running.table(&self.alone.device)?;
        let pass = Pass { norms: Some(&norms), ..Pass::PLAIN };
        let mut tally = Tally::default();
        for batch in EvalBatches::new(images, &parts.judges, &parts.normalise, self.alone.config.eval.batch_size)? {
            let images: Tensor4<D> = tensor(&self.alone.device, batch.images, batch.shape)?;
            tally.add::<D>(&self.network.infer(images, self.program, &pass)?.scores, &batch.labels);
        }
        Ok(tally.means().accuracy)
    }

    fn diverged(&self, what: &'static str, epoch: usize, lr: f64) -> RunError {
        RunError::Diverged { what, step: self.steps, epoch, arch: self.alone.space.format(self.arch), lr }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::load;
    use dfdx::prelude::Cpu;

    fn alone(space: &str, change: impl Fn(&mut RunConfig)) -> Alone<Cpu> {
        let mut config = RunConfig::from_table(&toml::Table::new()).unwrap();
        config.space.name = space.into();
        config.data.limit_train = Some(200);
        config.data.limit_valid = Some(300);
        config.train.epochs = 8;
        change(&mut config);
        let dataset = load("digits", &config.data).unwrap();
        Alone::new(&config, Arc::new(dataset), &Cpu::default()).unwrap()
    }

    fn train(alone: &Alone<Cpu>, text: &str, seed: u64) -> AloneResult {
        let arch = alone.space().parse(text).unwrap();
        alone.train(&arch, seed, &AtomicBool::new(false)).unwrap().unwrap()
    }

    #[test]
    fn an_architecture_learns_alone_and_the_same_seed_gives_the_same_bits() {
        // Enough steps for the running statistics to forget their start: 0.9^90 of it is left.
        let alone = alone("tiny", |config| config.train.epochs = 30);
        let result = train(&alone, "22", 0);
        // Guessing gives 10%.
        assert!(result.accuracy > 60.0 && result.train_loss < 1.5, "{result:?}");
        assert_eq!(train(&alone, "22", 0), result);
        assert_ne!(train(&alone, "22", 1), result);
    }

    #[test]
    fn a_network_that_sees_nothing_guesses() {
        let alone = alone("nasbench201", |config| config.train.epochs = 1);
        let none = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|";
        let accuracy = train(&alone, none, 0).accuracy;
        assert!((8.0..12.0).contains(&accuracy), "{accuracy}");
    }

    #[test]
    fn larger_samples_begin_with_smaller_ones() {
        let alone = alone("nasbench201", |_| ());
        let (few, more) = (alone.sample(TruthSamples::Some(5)).unwrap(), alone.sample(TruthSamples::Some(9)).unwrap());
        assert_eq!(few, more[..5]);
        assert!(alone.sample(TruthSamples::Some(0)).is_err() && alone.sample(TruthSamples::Some(15_626)).is_err());
    }

    #[test]
    fn a_cancelled_or_diverged_training_has_no_result() {
        let alone = alone("tiny", |config| config.train.lr = 1e30);
        let arch = alone.space().nth(8);
        assert_eq!(alone.train(&arch, 0, &AtomicBool::new(true)).unwrap(), None);
        let error = alone.train(&arch, 0, &AtomicBool::new(false)).unwrap_err();
        assert!(matches!(error, RunError::Diverged { .. }), "{error}");
    }
}
