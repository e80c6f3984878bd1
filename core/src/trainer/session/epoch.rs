//! One step and one epoch of a run.

use super::Session;
use crate::event::{EpochDone, Event, Observer, SavePoint, offer_state};
use crate::registry::TrainingDevice;
use crate::trainer::RunError;
use crate::trainer::training::{DeviceBatch, DeviceBatches, StepOutcome};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

impl<D: TrainingDevice> Session<D> {
    /// Plans if necessary, trains one batch and takes the measurements around the step.
    pub(in crate::trainer) fn step(&mut self, batch: DeviceBatch<D>) -> Result<StepOutcome, RunError> {
        let previous = self.planner.prepare_step(&mut self.supernet)?;
        let pending = self.monitor.before_step(previous, self.planner.paths(), &self.supernet)?;
        let outcome = self.supernet.step(batch, self.planner.paths())?;
        let ended = self.planner.finish_step();
        if let Some(paths) = &ended {
            self.supernet.strategy_mut().end_arch(paths)?;
        }
        self.monitor.after_step(pending, self.planner.paths(), ended.is_some(), &self.supernet)?;
        Ok(outcome)
    }

    /// Trains the remaining batches of the current epoch, or as many as the run still has. Returns whether the epoch is
    /// complete; if `cancel` becomes true, it stops after the current step.
    pub(in crate::trainer) fn train_epoch(
        &mut self,
        observer: &mut dyn Observer,
        cancel: &AtomicBool,
    ) -> Result<bool, RunError> {
        let mut started = Instant::now();
        let epoch = self.progress.epoch;
        let mut complete = true;
        let batches = self.loader.epoch(epoch as u64, self.progress.sums.steps)?;
        for batch in DeviceBatches::new(self.supernet.training().network().device(), batches) {
            let training = self.supernet.training();
            if training.counters().steps == training.total_steps() {
                break;
            }
            if cancel.load(Ordering::Relaxed) {
                complete = false;
                break;
            }
            let outcome = self.step(batch?)?;
            self.progress.sums.add(&outcome);
            observer.observe(&Event::Step(outcome.done))?;
            self.progress.add_training(seconds_since(&mut started));
            self.progress.count_time();
            offer_state(observer, SavePoint::Step, || self.save())?;
        }
        if complete {
            self.supernet.strategy_mut().end_epoch(epoch)?;
            self.monitor.end_epoch(&self.supernet)?;
        }
        self.progress.add_training(seconds_since(&mut started));
        for note in self.supernet.strategy_mut().take_notes() {
            observer.observe(&Event::Note(note))?;
        }
        if complete {
            self.complete_epoch(observer)?;
        }
        Ok(complete)
    }

    /// Reports the figures of the current epoch and clears its sums.
    fn complete_epoch(&mut self, observer: &mut dyn Observer) -> Result<(), RunError> {
        let sums = std::mem::take(&mut self.progress.sums);
        self.progress.trained_epochs = self.progress.epoch + 1;
        self.progress.train_loss = Some(sums.mean_loss());
        observer.observe(&Event::Epoch(EpochDone {
            steps: self.supernet.training().counters().steps,
            epoch: self.progress.epoch,
            train_loss: sums.mean_loss(),
            lr: sums.lr,
            gradient_norm: sums.mean_gradient_norm(),
            fairness: self.monitor.fairness_range(),
            metrics: self.supernet.strategy().metrics(),
            seconds: sums.seconds,
        }))?;
        Ok(())
    }
}

/// Seconds since a time, which becomes the present one.
fn seconds_since(time: &mut Instant) -> f64 {
    let before = std::mem::replace(time, Instant::now());
    (*time - before).as_secs_f64()
}
