//! Stand-alone training: one architecture with weights of its own, from scratch.

mod images;
mod run;
mod state;

pub use run::StandAloneRun;

use super::training::{Regularisation, TrainPath, Training};
use super::training_data::TrainingData;
use super::{RunError, build_space, stand_alone_network};
use crate::arch::Arch;
use crate::config::{ConfigError, RunConfig, TruthSamples};
use crate::data::Dataset;
use crate::network::{Network, NetworkSpec, Op, Program, RunningMoments};
use crate::registry::TrainingDevice;
use crate::space::SearchSpace;
use crate::strategy::Path;
use crate::streams::Streams;
use images::StandAloneImages;
use run::StandAloneNetwork;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Largest number of architectures of a truth table.
const MAX_SAMPLES: u64 = 1_000_000;

/// Trains architectures with weights of their own, by the sections `[train]` and `[retrain]` of a configuration.
///
/// In a stand-alone network, every batch normalisation has scale and shift, and evaluation uses running statistics.
/// `retrain.images` chooses the training images. Accuracy is measured on the test images of the data set, or on all
/// validation images of a data set without test images. The seed of [`start`](Self::start) determines the split, the
/// initial weights, the order of the images and drop path. The seed of the configuration determines the architectures
/// of [`sample`](Self::sample).
pub struct StandAloneTrainer<D: TrainingDevice> {
    config: RunConfig,
    dataset: Arc<Dataset>,
    space: Arc<dyn SearchSpace>,
    device: D,
}

impl<D: TrainingDevice> StandAloneTrainer<D> {
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
        trainer.compile(&trainer.space.format(&trainer.space.nth(trainer.space.count() - 1)))?;
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
    /// No architecture, more than the space has, or more than 1,000,000.
    pub fn sample(&self, samples: TruthSamples) -> Result<Vec<Arch>, RunError> {
        let (count, name) = (self.space.count(), self.space.name());
        let most = count.min(MAX_SAMPLES);
        match samples {
            TruthSamples::All if count <= MAX_SAMPLES => Ok((0..count).map(|index| self.space.nth(index)).collect()),
            TruthSamples::Some(n) if n > 0 && n as u64 <= most => {
                let mut rng = Streams::new(self.config.seed).rng("truth architectures", 0);
                let mut found = BTreeSet::new();
                let draws = std::iter::repeat_with(|| self.space.sample(&mut rng));
                Ok(draws.filter(|arch| found.insert(arch.clone())).take(n).collect())
            }
            other => {
                let expected = match most == count {
                    true => format!("`all` or 1 to {count}, the architectures of space {name}"),
                    false => format!("1 to {most}, because space {name} has {count} architectures"),
                };
                Err(ConfigError::Range { key: "--samples", expected, found: other.to_string() }.into())
            }
        }
    }

    /// Prepares the training of one architecture, as text, from scratch. A space may accept published architectures
    /// that are not in it; see [`SearchSpace::stand_alone`].
    ///
    /// # Errors
    /// An architecture of another space, or a failing device.
    pub fn start(&self, arch: &str, seed: u64) -> Result<StandAloneRun<D>, RunError> {
        let streams = Streams::new(seed);
        let (spec, program, eval_program) = self.compile(arch)?;
        let images = self.images(&streams)?;
        let batches = images.loader.batches();
        let network = Network::new(spec.clone(), &self.device, 1, &streams)?;
        let running = Some(RunningMoments::exponential(&spec));
        let total = (self.config.train.epochs * batches) as u64;
        let training = Training::new(self.space.clone(), network, running, &self.config.train, total, batches);
        let training = training.regularised(Regularisation::new(&self.config.retrain, batches, streams));
        // A published architecture outside of the space has no choices.
        let choices = self.space.parse(arch).unwrap_or(Arch::new(Vec::new()));
        let path = TrainPath { path: Path { arch: choices, weight: 1.0 }, program };
        let config = RunConfig { seed, ..self.config.clone() };
        let network = StandAloneNetwork { arch: arch.into(), path, eval_program };
        Ok(StandAloneRun::new(config, *self.space.scale(), images, training, network))
    }

    fn compile(&self, arch: &str) -> Result<(Arc<NetworkSpec>, Program, Program), RunError> {
        let (retrain, space) = (&self.config.retrain, self.space.name());
        let network = stand_alone_network(&*self.space, arch, retrain.auxiliary_weight > 0.0)?;
        let trained = &network.1;
        let has_drop_path = trained.instrs.iter().any(|instr| matches!(instr.op, Op::DropPath));
        for (key, value, part, has_part) in [
            ("retrain.auxiliary_weight", retrain.auxiliary_weight, "auxiliary head", trained.auxiliary.is_some()),
            ("retrain.drop_path", retrain.drop_path, "drop path", has_drop_path),
        ] {
            if value > 0.0 && !has_part {
                let expected = format!("0, because networks of space {space} have no {part}");
                return Err(ConfigError::Range { key, expected, found: value.to_string() }.into());
            }
        }
        Ok(network)
    }

    fn images(&self, streams: &Streams) -> Result<StandAloneImages, RunError> {
        let TrainingData { split, normalise, loader } =
            TrainingData::for_stand_alone(&self.config, &self.dataset, *streams)?;
        let positions = self.dataset.test.as_ref().map_or(split.valid, |test| (0..test.len()).collect());
        Ok(StandAloneImages { dataset: self.dataset.clone(), loader, normalise, positions })
    }
}

#[cfg(test)]
mod tests;
