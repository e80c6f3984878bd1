//! Stand-alone training: one architecture with weights of its own, from scratch.

use super::accuracy::AccuracyCounter;
use super::training::{NoHooks, TrainPath, Training};
use super::training_data::TrainingData;
use super::{RunError, build_space, wire_error};
use crate::arch::Arch;
use crate::config::{ConfigError, RunConfig, TruthSamples};
use crate::data::{Dataset, EvalBatches, Loader, Normalise};
use crate::network::{Network, NetworkSpec, Pass, Program, RunningMoments, tensor};
use crate::registry::Target;
use crate::space::SearchSpace;
use crate::strategy::Path;
use crate::streams::Streams;
use nas_ops::{OpError, Tensor4};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Trains architectures with weights of their own, by the `[train]` recipe of a configuration.
///
/// In a stand-alone network, every batch normalisation has scale and shift, and evaluation uses running statistics. The
/// training images are those of a supernet run with the same seed. Accuracy is measured on the test images of the data
/// set, or on all validation images of a data set without test images. The seed determines the split, the initial
/// weights and the order of the images; it does not determine the architectures.
pub struct StandAloneTrainer<D: Target> {
    config: RunConfig,
    dataset: Arc<Dataset>,
    space: Arc<dyn SearchSpace>,
    device: D,
}

/// The result of one stand-alone training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StandAloneResult {
    /// Accuracy in percent.
    pub accuracy: f64,
    /// Mean training loss of the last epoch, in nats.
    pub train_loss: f64,
    /// Number of parameters.
    pub params: u64,
    /// Multiply-adds for one image.
    pub macs: u64,
}

impl<D: Target> StandAloneTrainer<D> {
    /// Checks the configuration by building the network of one architecture and the split of the images.
    ///
    /// # Errors
    /// As [`Session::new`](super::Session::new).
    pub fn new(config: &RunConfig, dataset: Arc<Dataset>, device: &D) -> Result<Self, RunError> {
        if let Some(init) = &config.train.init {
            let expected = "no initial weights in stand-alone training, which starts from random ones".into();
            return Err(ConfigError::Range { key: "train.init", expected, found: init.display().to_string() }.into());
        }
        let shape = dataset.shape();
        let space = build_space(config, [shape.height, shape.width, shape.channels], dataset.classes.len())?;
        let trainer = Self { config: config.clone(), dataset, space, device: device.clone() };
        trainer.compile(&trainer.space.nth(trainer.space.count() - 1))?;
        trainer.images(&Streams::new(config.seed))?;
        Ok(trainer)
    }

    /// The search space at its scale.
    pub fn space(&self) -> &Arc<dyn SearchSpace> {
        &self.space
    }

    /// The architectures to train: the whole space, or distinct random ones from the random stream `truth
    /// architectures`. A larger sample starts with all smaller ones.
    ///
    /// # Errors
    /// No architecture, or more than the space has.
    pub fn sample(&self, samples: TruthSamples) -> Result<Vec<Arch>, RunError> {
        let count = self.space.count();
        match samples {
            TruthSamples::All => Ok((0..count).map(|index| self.space.nth(index)).collect()),
            TruthSamples::Some(n) if n > 0 && n as u64 <= count => {
                let mut rng = Streams::new(self.config.seed).rng("truth architectures", 0);
                let mut found = BTreeSet::new();
                let draws = std::iter::repeat_with(|| self.space.sample(&mut rng));
                Ok(draws.filter(|arch| found.insert(arch.clone())).take(n).collect())
            }
            TruthSamples::Some(n) => {
                let expected = format!("`all` or 1 to {count}, the architectures of space {}", self.space.name());
                Err(ConfigError::Range { key: "--samples", expected, found: n.to_string() }.into())
            }
        }
    }

    /// Trains one architecture from scratch; `None` if `cancel` became true first.
    ///
    /// # Errors
    /// An architecture of another space, diverged training, or a failing device.
    pub fn train(&self, arch: &Arch, seed: u64, cancel: &AtomicBool) -> Result<Option<StandAloneResult>, RunError> {
        let streams = Streams::new(seed);
        let (spec, program) = self.compile(arch)?;
        let images = self.images(&streams)?;
        let (epochs, batches) = (self.config.train.epochs, images.loader.batches());
        let network = Network::new(spec.clone(), &self.device, 1, &streams)?;
        let running = Some(RunningMoments::exponential(&spec));
        let total = (epochs * batches) as u64;
        let mut training = Training::new(self.space.clone(), network, running, &self.config.train, total, batches);
        let paths = [TrainPath { path: Path { arch: arch.clone(), weight: 1.0 }, program }];
        let mut train_loss = 0.0;
        for epoch in 0..epochs {
            let mut losses = 0.0;
            for batch in images.loader.epoch(epoch as u64, 0)? {
                if cancel.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                losses += training.step(batch?, &paths, &mut NoHooks)?.done.loss;
            }
            train_loss = losses / batches as f64;
        }
        let [TrainPath { program, .. }] = &paths;
        let accuracy = self.accuracy(&training, program, &images)?;
        Ok(Some(StandAloneResult { accuracy, train_loss, params: program.params, macs: program.macs }))
    }

    /// The stand-alone network of an architecture.
    fn compile(&self, arch: &Arch) -> Result<(Arc<NetworkSpec>, Program), RunError> {
        self.space.validate(arch)?;
        let (spec, program) = NetworkSpec::stand_alone(&*self.space, arch).map_err(|e| wire_error(&*self.space, e))?;
        Ok((Arc::new(spec), program))
    }

    fn images(&self, streams: &Streams) -> Result<StandAloneImages, RunError> {
        let TrainingData { split, normalise, loader } = TrainingData::new(&self.config, &self.dataset, *streams)?;
        let evaluated = match &self.dataset.test {
            Some(test) => (0..test.len()).collect(),
            None => split.valid,
        };
        Ok(StandAloneImages { loader, normalise, evaluated })
    }

    /// Accuracy in percent with running batch-norm statistics.
    fn accuracy(&self, training: &Training<D>, program: &Program, images: &StandAloneImages) -> Result<f64, RunError> {
        let norms = training.running().map(|running| running.table(&self.device)).transpose()?;
        let pass = Pass { norms: norms.as_ref(), ..Pass::PLAIN };
        let source = self.dataset.test.as_ref().unwrap_or(&self.dataset.train);
        let mut counter = AccuracyCounter::default();
        for batch in EvalBatches::new(source, &images.evaluated, &images.normalise, self.config.eval.batch_size)? {
            let batch = batch?;
            let values: Result<Tensor4<D>, OpError> = tensor(&self.device, batch.images, batch.shape);
            counter.add::<D>(&training.network().infer(values?, program, &pass)?.scores, &batch.labels);
        }
        Ok(counter.means().accuracy)
    }
}

/// The images of one stand-alone training.
struct StandAloneImages {
    loader: Loader,
    normalise: Normalise,
    /// Positions of the images on which accuracy is measured: among the test images of the data set, or among its
    /// training images if it has no test images.
    evaluated: Vec<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::load;
    use dfdx::prelude::Cpu;

    fn trainer(space: &str, change: impl Fn(&mut RunConfig)) -> StandAloneTrainer<Cpu> {
        let mut config = RunConfig::from_table(&toml::Table::new()).unwrap();
        config.space.name = space.into();
        config.data.limit_train = Some(200);
        config.data.limit_valid = Some(300);
        config.train.epochs = 8;
        change(&mut config);
        let dataset = load("digits", &config.data).unwrap();
        StandAloneTrainer::new(&config, Arc::new(dataset), &Cpu::default()).unwrap()
    }

    fn train(trainer: &StandAloneTrainer<Cpu>, text: &str, seed: u64) -> StandAloneResult {
        let arch = trainer.space().parse(text).unwrap();
        trainer.train(&arch, seed, &AtomicBool::new(false)).unwrap().unwrap()
    }

    #[test]
    fn an_architecture_learns_and_equal_seeds_give_equal_results() {
        // 90 steps: the initial running statistics have the weight 0.9^90 left.
        let trainer = trainer("tiny", |config| config.train.epochs = 30);
        let result = train(&trainer, "22", 0);
        // Guessing gives 10 %.
        assert!(result.accuracy > 60.0 && result.train_loss < 1.5, "{result:?}");
        assert_eq!(train(&trainer, "22", 0), result);
        assert_ne!(train(&trainer, "22", 1), result);
    }

    #[test]
    fn a_network_without_operations_guesses() {
        let trainer = trainer("nasbench201", |config| config.train.epochs = 1);
        let none = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|";
        let accuracy = train(&trainer, none, 0).accuracy;
        assert!((8.0..12.0).contains(&accuracy), "{accuracy}");
    }

    #[test]
    fn larger_samples_start_with_smaller_ones() {
        let trainer = trainer("nasbench201", |_| ());
        let (few, more) =
            (trainer.sample(TruthSamples::Some(5)).unwrap(), trainer.sample(TruthSamples::Some(9)).unwrap());
        assert_eq!(few, more[..5]);
        assert!(trainer.sample(TruthSamples::Some(0)).is_err() && trainer.sample(TruthSamples::Some(15_626)).is_err());
    }

    #[test]
    fn a_cancelled_or_diverged_training_has_no_result() {
        let trainer = trainer("tiny", |config| config.train.lr = 1e30);
        let arch = trainer.space().nth(8);
        assert_eq!(trainer.train(&arch, 0, &AtomicBool::new(true)).unwrap(), None);
        let error = trainer.train(&arch, 0, &AtomicBool::new(false)).unwrap_err();
        assert!(matches!(error, RunError::Diverged { .. }), "{error}");
    }
}
