//! The pieces of a run, assembled and checked before anything starts.

use super::images::TrainImages;
use super::watch::Watch;
use super::{Evaluator, Probes, RunError, TruthPlan, Weights};
use crate::arch::Arch;
use crate::config::{BnMode, ConfigError, RunConfig};
use crate::controller::{Controller, ControllerContext};
use crate::data::{Dataset, Loader};
use crate::event::Start;
use crate::metrics::FairnessAudit;
use crate::network::{LayerId, Network, NetworkSpec, Program, RunningMoments, WireError};
use crate::optimizer::Sgd;
use crate::registry::{self, BuildError, ControllerDescriptor, SpaceDescriptor, StrategyDescriptor, Target};
use crate::space::{Scale, SearchSpace};
use crate::strategy::{Path, SharingStrategy, StrategyContext};
use crate::streams::Streams;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A run that is ready to start, or under way.
pub struct Session<D: Target> {
    pub(super) config: RunConfig,
    pub(super) space: Arc<dyn SearchSpace>,
    pub(super) network: Network<D>,
    pub(super) running: Option<RunningMoments>,
    pub(super) strategy: Box<dyn SharingStrategy<D>>,
    pub(super) controller: Box<dyn Controller>,
    pub(super) optimizer: Sgd<D>,
    pub(super) evaluator: Evaluator<D>,
    pub(super) loader: Loader,
    pub(super) probes: Option<Probes>,
    pub(super) truth: Option<TruthPlan>,
    pub(super) streams: Streams,
    pub(super) rngs: Rngs,
    pub(super) audit: FairnessAudit,
    pub(super) watch: Watch,
    /// Layers that every architecture has.
    pub(super) fixed: BTreeSet<LayerId>,
    pub(super) plan: Plan,
    pub(super) steps: u64,
    pub(super) subnet_passes: u64,
    pub(super) images: u64,
    /// Whether architectures come from the controller instead of uniformly.
    pub(super) controller_draws: bool,
    /// The only architecture to draw, if there is but one.
    pub(super) drawn: Option<Arch>,
    pub(super) total_steps: u64,
    pub(super) steps_per_arch: usize,
}

/// The streams that go on through the whole run.
pub(super) struct Rngs {
    pub(super) archs: ChaCha8Rng,
    pub(super) strategy: ChaCha8Rng,
    pub(super) controller: ChaCha8Rng,
}

/// The architectures being trained, and how many of their steps are left.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) paths: Vec<Path>,
    pub(super) left: usize,
}

impl<D: Target> Session<D> {
    /// Builds every component and checks every option, so that what can fail early does.
    ///
    /// # Errors
    /// Unknown components, options out of range, data that does not fit, a scale without networks.
    pub fn new(config: &RunConfig, dataset: Arc<Dataset>, device: &D) -> Result<Self, RunError> {
        let steps_per_arch = config.train.steps_per_arch;
        Self::with_steps(config, dataset, device, config.train.epochs, |_| steps_per_arch)
    }

    /// A session of `epochs` epochs; `steps_per_arch` tells from the batches of an epoch how long a plan lasts.
    pub(super) fn with_steps(
        config: &RunConfig,
        dataset: Arc<Dataset>,
        device: &D,
        epochs: usize,
        steps_per_arch: impl Fn(usize) -> usize,
    ) -> Result<Self, RunError> {
        let streams = Streams::new(config.seed);
        let shape = dataset.shape();
        let image = [shape.height, shape.width, shape.channels];
        let space = build_space(config, image, dataset.classes.len())?;
        let spec = Arc::new(NetworkSpec::supernet(&*space).map_err(|e| wire_error(&*space, e))?);

        let TrainImages { split, normalise, loader } = TrainImages::new(config, &dataset, streams)?;

        let strategy = registry::find::<StrategyDescriptor>(&config.strategy.name)?;
        let total_steps = match config.train.max_steps {
            0 => epochs * loader.batches(),
            most => most.min(epochs * loader.batches()),
        } as u64;
        let steps_per_arch = steps_per_arch(loader.batches());
        let context = StrategyContext {
            space: space.clone(),
            spec: spec.clone(),
            device: device.clone(),
            total_steps,
            steps_per_arch,
        };
        let strategy = D::strategy_builder(strategy)(&config.strategy.options, context).map_err(BuildError::from)?;
        let controller = registry::find::<ControllerDescriptor>(&config.controller.name)?;
        let context = ControllerContext { space: space.clone(), rng: streams.rng("controller weights", 0) };
        let controller = (controller.build)(&config.controller.options, context).map_err(BuildError::from)?;

        let probes = Probes::new(config, &space, &streams)?;
        let truth = TruthPlan::new(config, &space, &dataset, &streams)?;
        let evaluator = Evaluator::new(&config.eval, &dataset, &split, &normalise, device)?;
        let network = Network::new(spec.clone(), device, strategy.weight_sets(), &streams)?;
        let running = (config.eval.bn == BnMode::Running).then(|| RunningMoments::exponential(&spec));
        let t = &config.train;
        let optimizer = Sgd::new(t.momentum, t.nesterov, t.weight_decay, t.clip, network.params().len());
        let choices: Vec<usize> = space.decisions().iter().map(|d| d.choices.len()).collect();
        let fixed = fixed_layers(&*space, &spec)?;
        let rngs = Rngs {
            archs: streams.rng("architectures", 0),
            strategy: streams.rng("strategy", 0),
            controller: streams.rng("controller", 0),
        };
        Ok(Self {
            config: config.clone(),
            space,
            network,
            running,
            strategy,
            controller,
            optimizer,
            evaluator,
            loader,
            probes,
            truth,
            streams,
            rngs,
            audit: FairnessAudit::new(&choices),
            watch: Watch::default(),
            fixed,
            drawn: None,
            total_steps,
            steps_per_arch,
            plan: Plan::default(),
            steps: 0,
            subnet_passes: 0,
            images: 0,
            controller_draws: false,
        })
    }

    /// Epochs of the run, the last one possibly cut short.
    pub(super) fn epochs(&self) -> usize {
        self.total_steps.div_ceil(self.loader.batches() as u64) as usize
    }

    /// The size of the run.
    pub fn size(&self) -> Start {
        Start {
            epochs: self.epochs(),
            steps_per_epoch: self.loader.batches(),
            steps: self.total_steps,
            train_images: self.loader.images(),
            eval_images: self.evaluator.images(),
            params: self.network.spec().param_count() * self.network.sets(),
            archs: self.space.count(),
        }
    }

    /// Hash of the truth table that the ranking will be compared with, if with any.
    pub fn truth_sha256(&self) -> Option<&str> {
        self.truth.as_ref().map(|plan| plan.table.sha256.as_str())
    }

    /// The space at its scale.
    pub fn space(&self) -> &Arc<dyn SearchSpace> {
        &self.space
    }

    /// The shared weights.
    pub fn network(&self) -> &Network<D> {
        &self.network
    }

    /// The program of an architecture on the shared weights.
    ///
    /// # Errors
    /// An architecture of another space.
    pub fn program(&self, arch: &Arch) -> Result<Program, RunError> {
        self.space.validate(arch)?;
        self.network.spec().program(&*self.space, arch).map_err(|e| wire_error(&*self.space, e))
    }

    /// Accuracy of an architecture with shared weights on the evaluation images, in percent.
    ///
    /// # Errors
    /// An architecture of another space, or a failing device.
    pub fn evaluate(&self, arch: &Arch) -> Result<f64, RunError> {
        let program = self.program(arch)?;
        let seen = self.with_weights(arch, |weights| self.evaluator.observe(&program, weights))?;
        Ok(self.finite(seen, arch)?.accuracy)
    }

    /// Hands `f` the weights that an architecture uses.
    pub(super) fn with_weights<R>(&self, arch: &Arch, f: impl FnOnce(&Weights<'_, D>) -> R) -> R {
        let bind = |layer| self.strategy.bind(arch, layer);
        f(&Weights { network: &self.network, running: self.running.as_ref(), bind: &bind })
    }

    /// Number of layers that two architectures share, not counting those that all have.
    ///
    /// # Errors
    /// An architecture of another space.
    pub fn shared_layers(&self, a: &Arch, b: &Arch) -> Result<usize, RunError> {
        let (a, b) = (self.program(a)?.layers, self.program(b)?.layers);
        Ok(a.iter().filter(|layer| b.contains(layer) && !self.fixed.contains(layer)).count())
    }

    /// Parameters and multiply-adds of the stand-alone network of an architecture.
    ///
    /// # Errors
    /// An architecture of another space.
    pub fn cost(&self, arch: &Arch) -> Result<(u64, u64), RunError> {
        let alone = NetworkSpec::stand_alone(&*self.space, arch);
        let (_, program) = alone.map_err(|e| wire_error(&*self.space, e))?;
        Ok((program.params, program.macs))
    }
}

/// Builds the space of a configuration for images of this height, width and number of channels.
///
/// # Errors
/// An unknown space, or a scale out of range.
pub fn build_space(config: &RunConfig, image: [usize; 3], classes: usize) -> Result<Arc<dyn SearchSpace>, RunError> {
    let descriptor = registry::find::<SpaceDescriptor>(&config.space.name)?;
    let or_default = |given, default| if given == 0 { default } else { given };
    let scale = Scale {
        image,
        classes,
        width: or_default(config.space.width, descriptor.width),
        cells: or_default(config.space.cells, descriptor.cells),
    };
    for (key, value, most) in [("space.width", scale.width, 4096), ("space.cells", scale.cells, 256)] {
        if value > most {
            let expected = format!("at most {most}");
            return Err(ConfigError::Range { key, expected, found: value.to_string() }.into());
        }
    }
    Ok(Arc::from((descriptor.build)(scale).map_err(BuildError::from)?))
}

/// The layers that do not depend on any choice: those that the last architecture shares with all that differ from it in
/// one decision.
fn fixed_layers(space: &dyn SearchSpace, spec: &NetworkSpec) -> Result<BTreeSet<LayerId>, RunError> {
    let last = space.nth(space.count() - 1);
    let program = spec.program(space, &last).map_err(|e| wire_error(space, e))?;
    let mut fixed: BTreeSet<LayerId> = program.layers.into_iter().collect();
    for (decision, choice) in last.choices().iter().enumerate() {
        let mut choices = last.choices().to_vec();
        choices[decision] = usize::from(*choice == 0);
        let program = spec.program(space, &Arch::new(choices)).map_err(|e| wire_error(space, e))?;
        fixed.retain(|layer| program.layers.contains(layer));
    }
    Ok(fixed)
}

pub(super) fn wire_error(space: &dyn SearchSpace, source: WireError) -> RunError {
    let Scale { image, width, cells, .. } = *space.scale();
    RunError::Wire { space: space.name().into(), width, cells, image, source: Box::new(source) }
}
