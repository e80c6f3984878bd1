//! A run: epochs of training, evaluation of the probe architectures, training of the controller, selection of an
//! architecture, and the comparison with stand-alone accuracies.

mod controller_phase;
mod epoch;
mod progress;
mod run;
mod selection;
mod state;
#[cfg(test)]
mod tests;

use super::monitor::{Monitor, Probes, TruthComparison};
use super::planner::{ArchSource, Planner};
use super::supernet::{NamedStrategy, Supernet};
use super::training::{TrainPath, Training};
use super::training_data::TrainingData;
use super::{EvalImages, Evaluator, FrozenNetwork, RunError, build_space, network_error};
use crate::arch::Arch;
use crate::checkpoint::weights;
use crate::config::{BnMode, RunConfig};
use crate::controller::ControllerContext;
use crate::data::{Dataset, Loader};
use crate::event::{Observer, RunSize};
use crate::metrics::Evaluation;
use crate::network::{Network, NetworkSpec, RunningMoments};
use crate::registry::{self, BuildError, ControllerDescriptor, StrategyDescriptor, TrainingDevice};
use crate::result::Truth;
use crate::space::SearchSpace;
use crate::strategy::StrategyContext;
use crate::streams::Streams;
use progress::SessionProgress;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A run that is ready to start, or to continue.
pub struct Session<D: TrainingDevice> {
    config: RunConfig,
    supernet: Supernet<D>,
    planner: Planner,
    monitor: Monitor,
    loader: Loader,
    progress: SessionProgress,
}

impl<D: TrainingDevice> Session<D> {
    /// Builds every component of a run and checks every option, before any training.
    ///
    /// # Errors
    /// Unknown components, options out of range, data that does not fit, or a scale at which the space has no networks.
    pub fn new(config: &RunConfig, dataset: Arc<Dataset>, device: &D) -> Result<Self, RunError> {
        let steps_per_arch = config.train.steps_per_arch;
        Self::with_length(config, dataset, device, config.train.epochs, EvalImages::Validation, |_| steps_per_arch)
    }

    /// A session for [`restore`](Self::restore) or [`extend`](Self::extend). It does not read the initial weights of
    /// `train.init`, because the state has later ones.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_restore(config: &RunConfig, dataset: Arc<Dataset>, device: &D) -> Result<Self, RunError> {
        let mut without_init = config.clone();
        without_init.train.init = None;
        Ok(Self { config: config.clone(), ..Self::new(&without_init, dataset, device)? })
    }

    /// A session that evaluates with given weights on these images and is not trained: without probe architectures, and
    /// with the truth table of the configuration for [`compare_with_truth`](Self::compare_with_truth).
    ///
    /// # Errors
    /// As [`new`](Self::new); a data set without test images.
    pub fn for_evaluation(
        config: &RunConfig,
        dataset: Arc<Dataset>,
        device: &D,
        images: EvalImages,
    ) -> Result<Self, RunError> {
        let mut config = config.clone();
        config.probes.count = 0;
        // The given weights replace the initial ones.
        config.train.init = None;
        let (epochs, steps_per_arch) = (config.train.epochs, config.train.steps_per_arch);
        Self::with_length(&config, dataset, device, epochs, images, |_| steps_per_arch)
    }

    /// A session of `epochs` epochs that evaluates on `images`. `steps_per_plan` computes the steps of a plan from the
    /// batches of an epoch.
    pub(super) fn with_length(
        config: &RunConfig,
        dataset: Arc<Dataset>,
        device: &D,
        epochs: usize,
        images: EvalImages,
        steps_per_plan: impl Fn(usize) -> usize,
    ) -> Result<Self, RunError> {
        let streams = Streams::new(config.seed);
        let shape = dataset.shape();
        let image = [shape.height, shape.width, shape.channels];
        let space = build_space(config, image, dataset.classes.len())?;
        let spec = Arc::new(NetworkSpec::supernet(&*space).map_err(|e| network_error(&*space, e))?);

        let TrainingData { split, normalise, loader } = TrainingData::new(config, &dataset, streams)?;
        let total_steps = match config.train.max_steps {
            0 => epochs * loader.batches(),
            most => most.min(epochs * loader.batches()),
        } as u64;
        let steps_per_plan = steps_per_plan(loader.batches());

        let name = &config.strategy.name;
        let context = StrategyContext {
            space: space.clone(),
            spec: spec.clone(),
            device: device.clone(),
            total_steps,
            steps_per_arch: steps_per_plan,
        };
        let build = D::strategy_builder(registry::find::<StrategyDescriptor>(name)?);
        let strategy = build(&config.strategy.options, context).map_err(BuildError::from)?;
        let weight_sets = strategy.weight_sets();
        let strategy = NamedStrategy::new(name, strategy);

        let name = &config.controller.name;
        let context = ControllerContext { space: space.clone(), rng: streams.rng("controller weights", 0) };
        let build = registry::find::<ControllerDescriptor>(name)?.build;
        let controller = build(&config.controller.options, context).map_err(BuildError::from)?;
        let source = ArchSource::new(space.clone(), name, controller, &streams);
        let planner = Planner::new(source, streams.rng("strategy", 0), steps_per_plan);

        let probes = Probes::new(config, &space, &streams)?;
        let truth = TruthComparison::new(config, &space, &dataset, &streams)?;
        let monitor = Monitor::new(probes, truth, space.decisions(), config.probes.single_step_every);

        let evaluator = Evaluator::new(&config.eval, &dataset, &split, &normalise, images, device)?;
        let network = Network::new(spec.clone(), device, weight_sets, &streams)?;
        let running = (config.eval.bn == BnMode::Running).then(|| RunningMoments::exponential(&spec));
        let mut training = Training::new(space.clone(), network, running, &config.train, total_steps, loader.batches());
        if let Some(dir) = &config.train.init {
            let read = weights::read(&dir.join(weights::FILE), &spec);
            let (model, _) = read.map_err(|source| RunError::InitialWeights { source })?;
            training.load_model(&model)?;
        }
        let supernet = Supernet::new(space, training, strategy, evaluator, config.eval.weight_average)?;
        Ok(Self { config: config.clone(), supernet, planner, monitor, loader, progress: SessionProgress::default() })
    }

    /// Sizes of the run.
    pub fn size(&self) -> RunSize {
        let network = self.supernet.training().network();
        RunSize {
            epochs: self.epochs(),
            steps_per_epoch: self.loader.batches(),
            steps: self.supernet.training().total_steps(),
            train_images: self.loader.images(),
            eval: self.supernet.evaluator().inputs().clone(),
            params: network.spec().param_count() * network.sets(),
            archs: self.space().count(),
            network: network.spec().clone(),
            scale: *self.space().scale(),
        }
    }

    /// Epochs of the run; the last one may be cut short.
    fn epochs(&self) -> usize {
        self.supernet.training().total_steps().div_ceil(self.loader.batches() as u64) as usize
    }

    /// SHA-256 of the truth table of the run, if it has one.
    pub fn truth_sha256(&self) -> Option<&str> {
        self.monitor.truth().map(TruthComparison::sha256)
    }

    /// The search space at its scale.
    pub fn space(&self) -> &Arc<dyn SearchSpace> {
        self.supernet.space()
    }

    /// Losses and accuracies of architectures with shared weights. The common prefix of several architectures runs
    /// once. `on_progress` gets the number of evaluated architectures. `None` if `cancel` became true first.
    ///
    /// # Errors
    /// See [`evaluate`](Self::evaluate).
    pub fn evaluate_with_loss(
        &self,
        archs: &[Arch],
        cancel: &AtomicBool,
        on_progress: &mut dyn FnMut(usize),
    ) -> Result<Option<Vec<Evaluation>>, RunError> {
        let mut each = |number, _| {
            on_progress(number + 1);
            Ok(())
        };
        self.supernet.evaluate_all_with_loss(archs, cancel, &mut each)
    }

    /// Evaluates the architectures of the truth comparison with shared weights and compares their ranking with the
    /// table. `None` without a truth table, or if `cancel` became true first.
    ///
    /// # Errors
    /// See [`evaluate`](Self::evaluate); an observer that fails.
    pub fn compare_with_truth(
        &self,
        observer: &mut dyn Observer,
        cancel: &AtomicBool,
    ) -> Result<Option<Truth>, RunError> {
        let compare = |truth: &TruthComparison| truth.compare(&self.supernet, observer, cancel);
        Ok(self.monitor.truth().map(compare).transpose()?.flatten())
    }

    /// Number of images on which architectures are evaluated.
    pub fn eval_images(&self) -> usize {
        self.supernet.evaluator().inputs().positions.len()
    }

    /// Accuracy of an architecture with shared weights on the evaluation images, in percent.
    ///
    /// # Errors
    /// An architecture of another space, a loss that is not finite, or a failing device.
    pub fn evaluate(&self, arch: &Arch) -> Result<f64, RunError> {
        self.supernet.evaluate(arch)
    }

    /// An architecture with its shared weights and fixed batch-norm statistics: the running ones, or those measured on
    /// training images, as `eval.bn` requires.
    ///
    /// # Errors
    /// An architecture of another space, `eval.bn = "batch"`, a layer that was not trained, or a failing device.
    pub fn freeze(&self, arch: &Arch) -> Result<FrozenNetwork, RunError> {
        self.supernet.freeze(arch)
    }

    /// Plans the coming step if no plan is left, and returns its paths.
    pub(super) fn plan(&mut self) -> Result<&[TrainPath], RunError> {
        self.planner.prepare_step(&mut self.supernet)?;
        Ok(self.planner.paths())
    }

    /// Makes every later draw of the strategy return `arch`.
    pub(super) fn force_arch(&mut self, arch: Arch) {
        self.planner.source_mut().force(arch);
    }

    /// Starts another epoch after a complete one, without the phases of a run between them.
    pub(super) fn next_epoch(&mut self) {
        self.progress.epoch += 1;
    }

    /// The configuration of the run.
    pub(super) fn config(&self) -> &RunConfig {
        &self.config
    }

    /// The shared weights.
    pub(super) fn supernet(&self) -> &Supernet<D> {
        &self.supernet
    }

    /// The architectures of the current plan.
    pub(super) fn planned_archs(&self) -> impl Iterator<Item = &Arch> {
        self.planner.paths().iter().map(|path| &path.path.arch)
    }

    /// The batches of the run.
    pub(super) fn loader(&self) -> &Loader {
        &self.loader
    }
}
