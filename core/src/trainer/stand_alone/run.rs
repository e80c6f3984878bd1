//! One stand-alone training in progress.

use super::{StandAloneImages, StandAloneResult};
use crate::config::RunConfig;
use crate::data::{Dataset, EvalBatches};
use crate::event::{Event, Moment, Observer, offer_state};
use crate::network::{Pass, tensor};
use crate::registry::Target;
use crate::state::{State, StateError};
use crate::trainer::RunError;
use crate::trainer::accuracy::AccuracyCounter;
use crate::trainer::saved_config::{check_config, comparable};
use crate::trainer::training::{NoHooks, TrainPath, Training};
use nas_ops::{OpError, Tensor4};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The training of one architecture with weights of its own, between two steps.
///
/// | section of the state | content |
/// |---|---|
/// | `training` | weights, velocities, running batch-norm statistics, counters |
/// | (none) | `progress`: the epoch and its sums; what the state belongs to: `arch`, `seed`, and of the `config` the sections `space`, `data` and `train` |
pub struct StandAloneRun<D: Target> {
    config: RunConfig,
    seed: u64,
    dataset: Arc<Dataset>,
    images: StandAloneImages,
    training: Training<D>,
    path: TrainPath,
    progress: Progress,
}

/// The position of a training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Progress {
    /// The current epoch, from 0.
    epoch: usize,
    /// Steps of the current epoch so far.
    steps: usize,
    /// Sum of their losses.
    loss: f64,
    /// Mean loss of the latest complete epoch.
    train_loss: f64,
}

impl<D: Target> StandAloneRun<D> {
    pub(super) fn new(
        config: RunConfig,
        seed: u64,
        dataset: Arc<Dataset>,
        images: StandAloneImages,
        training: Training<D>,
        path: TrainPath,
    ) -> Self {
        Self { config, seed, dataset, images, training, path, progress: Progress::default() }
    }

    /// The state between two steps.
    ///
    /// # Errors
    /// See [`State::put`].
    pub fn save(&self) -> Result<State, RunError> {
        let mut state = State::default();
        self.identity(|key, value| state.put(key, &value))?;
        state.put("progress", &self.progress)?;
        state.put_section("training", self.training.save()?);
        Ok(state)
    }

    /// This training, not yet run, with the state of another one of the same configuration, architecture and seed.
    ///
    /// # Errors
    /// State of another training, and missing or misfitting entries.
    pub fn restore(mut self, state: &State) -> Result<Self, RunError> {
        self.identity(|key, value| match (state.get(key)?, value) {
            (Value::Object(saved), Value::Object(present)) => check_config(&saved, &present),
            (saved, present) if saved == present => Ok(()),
            (saved, present) => Err(StateError {
                expected: format!("state of a training with {key} {present}"),
                found: saved.to_string(),
            }),
        })?;
        self.progress = state.get("progress")?;
        self.training.load(&state.section("training"))?;
        Ok(self)
    }

    /// Trains the remaining epochs; `None` if `cancel` became true first. `observer` may ask for the state, see
    /// [`Observer::wants_state`].
    ///
    /// # Errors
    /// Diverged training, a failing device or a failing observer.
    pub fn run(
        mut self,
        observer: &mut dyn Observer,
        cancel: &AtomicBool,
    ) -> Result<Option<StandAloneResult>, RunError> {
        while self.progress.epoch < self.config.train.epochs {
            if !self.train_epoch(observer, cancel)? {
                offer_state(observer, Moment::Interrupted, || self.save())?;
                return Ok(None);
            }
            offer_state(observer, Moment::Epoch(self.progress.epoch), || self.save())?;
        }
        let accuracy = self.accuracy()?;
        let program = &self.path.program;
        let (params, macs) = (program.params, program.macs);
        Ok(Some(StandAloneResult { accuracy, train_loss: self.progress.train_loss, params, macs }))
    }

    /// Trains the remaining batches of the current epoch. Returns false if `cancel` became true first.
    fn train_epoch(&mut self, observer: &mut dyn Observer, cancel: &AtomicBool) -> Result<bool, RunError> {
        for batch in self.images.loader.epoch(self.progress.epoch as u64, self.progress.steps)? {
            if cancel.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let done = self.training.step(batch?, std::slice::from_ref(&self.path), &mut NoHooks)?.done;
            self.progress.loss += done.loss;
            self.progress.steps += 1;
            observer.observe(&Event::Step(done))?;
            offer_state(observer, Moment::Step, || self.save())?;
        }
        let Progress { epoch, loss, .. } = self.progress;
        let train_loss = loss / self.images.loader.batches() as f64;
        self.progress = Progress { epoch: epoch + 1, train_loss, ..Progress::default() };
        Ok(true)
    }

    /// Calls `entry` with each name and value that identify the training.
    fn identity(&self, mut entry: impl FnMut(&str, Value) -> Result<(), StateError>) -> Result<(), StateError> {
        let mut config = comparable(&self.config)?;
        config.retain(|key, _| ["space.", "data.", "train."].iter().any(|section| key.starts_with(section)));
        entry("config", Value::Object(config))?;
        entry("arch", Value::from(self.path.path.arch.choices()))?;
        entry("seed", self.seed.into())
    }

    /// Accuracy in percent with running batch-norm statistics.
    fn accuracy(&self) -> Result<f64, RunError> {
        let (training, images) = (&self.training, &self.images);
        let norms = training.running().map(|running| running.table(training.network().device())).transpose()?;
        let pass = Pass { norms: norms.as_ref(), ..Pass::PLAIN };
        let source = self.dataset.test.as_ref().unwrap_or(&self.dataset.train);
        let mut counter = AccuracyCounter::default();
        for batch in EvalBatches::new(source, &images.evaluated, &images.normalise, self.config.eval.batch_size)? {
            let batch = batch?;
            let values: Result<Tensor4<D>, OpError> = tensor(training.network().device(), batch.images, batch.shape);
            counter.add::<D>(&training.network().infer(values?, &self.path.program, &pass)?.scores, &batch.labels);
        }
        Ok(counter.means().accuracy)
    }
}
