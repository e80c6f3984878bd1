//! One stand-alone training in progress.

use super::images::StandAloneImages;
use crate::config::RunConfig;
use crate::event::{Event, Observer, RunSize, SavePoint, StandAloneEpoch, offer_state};
use crate::network::Program;
use crate::registry::TrainingDevice;
use crate::result::{EvalFigures, SCHEMA, StandAloneResult};
use crate::space::Scale;
use crate::state::State;
use crate::trainer::training::{DeviceBatches, EpochSums, Model, NoHooks, TrainPath, Training};
use crate::trainer::{RunError, WeightAverage, memory};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The network of a stand-alone training.
pub struct StandAloneNetwork {
    /// The architecture as text.
    pub arch: String,
    /// The program for training, with the auxiliary head if there is one.
    pub path: TrainPath,
    /// The program for evaluation.
    pub eval_program: Program,
}

/// The training of one architecture with weights of its own, between two steps.
pub struct StandAloneRun<D: TrainingDevice> {
    /// The configuration, with the seed of this training.
    pub(super) config: RunConfig,
    scale: Scale,
    images: StandAloneImages,
    pub(super) training: Training<D>,
    pub(super) network: StandAloneNetwork,
    pub(super) average: WeightAverage<D>,
    /// Weights at the evaluation with the highest accuracy; not kept if `retrain.eval_every` is 0.
    pub(super) best: Option<State>,
    pub(super) progress: StandAloneProgress,
}

/// The position of a training, and its figures so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct StandAloneProgress {
    /// The current epoch, from 0.
    epoch: usize,
    /// Sums over its steps so far.
    sums: EpochSums,
    /// Mean loss of the latest complete epoch.
    train_loss: Option<f64>,
    last: Option<EvalFigures>,
    best: Option<EvalFigures>,
    train_s: f64,
    wall_s: f64,
}

impl<D: TrainingDevice> StandAloneRun<D> {
    pub(super) fn new(
        config: RunConfig,
        scale: Scale,
        images: StandAloneImages,
        training: Training<D>,
        network: StandAloneNetwork,
    ) -> Self {
        let average = WeightAverage::new(config.retrain.weight_average);
        Self { config, scale, images, training, network, average, best: None, progress: StandAloneProgress::default() }
    }

    /// This training, if its network reads the images.
    ///
    /// # Errors
    /// [`RunError::Disconnected`] otherwise: such a network cannot do better than guessing.
    pub fn connected(self) -> Result<Self, RunError> {
        match self.network.eval_program.reads_images() {
            true => Ok(self),
            false => Err(RunError::Disconnected { arch: self.network.arch }),
        }
    }

    /// Sizes of the training.
    pub fn size(&self) -> RunSize {
        let network = self.training.network();
        RunSize {
            epochs: self.config.train.epochs,
            steps_per_epoch: self.images.loader.batches(),
            steps: self.training.total_steps(),
            train_images: self.images.loader.images(),
            eval: self.images.inputs(self.config.eval.batch_size),
            params: network.spec().param_count(),
            archs: 1,
            network: network.spec().clone(),
            scale: self.scale,
        }
    }

    /// Trains the remaining epochs, until `cancel` becomes true. `observer` may ask for the state, see
    /// [`Observer::needs_state`].
    ///
    /// # Errors
    /// Diverged training, a failing device or a failing observer.
    pub fn run(mut self, observer: &mut dyn Observer, cancel: &AtomicBool) -> Result<StandAloneResult, RunError> {
        observer.observe(&Event::Start(self.size()))?;
        while self.progress.epoch < self.config.train.epochs {
            if !(self.train_epoch(observer, cancel)? && self.complete_epoch(observer, cancel)?) {
                offer_state(observer, SavePoint::Interrupted, || self.save())?;
                return Ok(self.result(true));
            }
            offer_state(observer, SavePoint::Epoch(self.progress.epoch), || self.save())?;
        }
        offer_state(observer, SavePoint::Trained, || self.save())?;
        Ok(self.result(false))
    }

    /// Trains the remaining batches of the current epoch. Returns false if `cancel` became true first.
    fn train_epoch(&mut self, observer: &mut dyn Observer, cancel: &AtomicBool) -> Result<bool, RunError> {
        // The time of a step includes that of waiting for its images.
        let mut started = Instant::now();
        let batches = self.images.loader.epoch(self.progress.epoch as u64, self.progress.sums.steps)?;
        for batch in DeviceBatches::new(self.training.network().device(), batches) {
            if cancel.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let outcome = self.training.step(batch?, std::slice::from_ref(&self.network.path), &mut NoHooks);
            let outcome = outcome.map_err(|error| self.named(error))?;
            self.average.add(self.training.model())?;
            let seconds = started.elapsed().as_secs_f64();
            self.progress.sums.add(&outcome);
            self.progress.sums.seconds += seconds;
            self.progress.train_s += seconds;
            self.progress.wall_s += seconds;
            observer.observe(&Event::Step(outcome.done))?;
            offer_state(observer, SavePoint::Step, || self.save())?;
            started = Instant::now();
        }
        Ok(true)
    }

    /// Evaluates the network if it is due, and reports the epoch. Returns false if `cancel` became true first; the
    /// epoch is still to be completed then.
    fn complete_epoch(&mut self, observer: &mut dyn Observer, cancel: &AtomicBool) -> Result<bool, RunError> {
        let (started, epoch) = (Instant::now(), self.progress.epoch);
        let is_due = self.is_evaluated(epoch);
        let evaluation = if is_due { self.evaluate(epoch, cancel)? } else { None };
        if is_due && evaluation.is_none() {
            return Ok(false);
        }
        let sums = std::mem::take(&mut self.progress.sums);
        self.progress.train_loss = Some(sums.mean_loss());
        self.progress.epoch += 1;
        self.progress.wall_s += started.elapsed().as_secs_f64();
        observer.observe(&Event::StandAloneEpoch(StandAloneEpoch {
            steps: self.training.counters().steps,
            epoch,
            train_loss: sums.mean_loss(),
            lr: sums.lr,
            gradient_norm: sums.mean_gradient_norm(),
            evaluation,
            seconds: sums.seconds,
        }))?;
        Ok(true)
    }

    /// The error of a step, with the architecture as it was given.
    fn named(&self, error: RunError) -> RunError {
        match error {
            RunError::Diverged { what, step, epoch, lr, .. } => {
                RunError::Diverged { what, step, epoch, arch: self.network.arch.clone(), lr }
            }
            error => error,
        }
    }

    fn is_evaluated(&self, epoch: usize) -> bool {
        let every = self.config.retrain.eval_every;
        epoch + 1 == self.config.train.epochs || (every > 0 && (epoch + 1).is_multiple_of(every))
    }

    /// Evaluates the network and keeps it if it is the best so far. `None` if `cancel` became true first.
    fn evaluate(&mut self, epoch: usize, cancel: &AtomicBool) -> Result<Option<EvalFigures>, RunError> {
        let (program, batch_size) = (&self.network.eval_program, self.config.eval.batch_size);
        let Some(figures) = self.images.evaluate(epoch, self.eval_model(), program, batch_size, cancel)? else {
            return Ok(None);
        };
        if !figures.loss.is_finite() {
            return Err(self.named(self.training.evaluation_diverged(&self.network.path.path.arch)));
        }
        let is_last = epoch + 1 == self.config.train.epochs;
        self.progress.last = is_last.then_some(figures);
        if self.progress.best.is_none_or(|best| figures.accuracy > best.accuracy) {
            self.progress.best = Some(figures);
            if self.config.retrain.eval_every > 0 {
                self.best = Some(self.eval_model().save()?);
            }
        }
        Ok(Some(figures))
    }

    /// The model to evaluate: the average of the weights if there is one.
    pub(super) fn eval_model(&self) -> &Model<D> {
        self.average.or(self.training.model())
    }

    fn result(self, interrupted: bool) -> StandAloneResult {
        let (progress, program) = (&self.progress, &self.network.eval_program);
        let counters = self.training.counters();
        StandAloneResult {
            r#type: "retrain".into(),
            schema: SCHEMA,
            space: self.config.space.name.clone(),
            arch: self.network.arch,
            data: self.config.data.name.clone(),
            seed: self.config.seed,
            device: self.config.device.clone(),
            threads: rayon::current_num_threads(),
            interrupted,
            epochs: progress.epoch,
            steps: counters.steps,
            train_images: self.images.loader.images(),
            evaluated_on: self.images.evaluated_on().into(),
            eval_images: self.images.positions.len(),
            params: program.params,
            macs: program.macs,
            train_loss: progress.train_loss,
            last: progress.last,
            best: progress.best,
            wall_s: progress.wall_s,
            images_per_s: (progress.train_s > 0.0).then(|| counters.images as f64 / progress.train_s),
            peak_rss_mb: memory::peak_rss_mb(),
        }
    }
}
