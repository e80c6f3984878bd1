//! One epoch of the shared weights.

use super::{RunError, Session};
use crate::event::{EpochDone, Event, Observer};
use crate::registry::Target;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What became of an epoch.
pub(super) struct Trained {
    /// Whether it ran to its end.
    pub(super) complete: bool,
    /// Mean loss of its steps.
    pub(super) loss: f64,
    /// How long it took.
    pub(super) seconds: f64,
}

/// Sums over the steps of an epoch.
#[derive(Default)]
struct Sums {
    loss: f64,
    gradient_norm: f64,
    steps: usize,
    lr: f64,
}

impl<D: Target> Session<D> {
    /// Trains all batches of an epoch, or those that the run still has; stops after the step at hand when `cancel` becomes true.
    pub(super) fn train_epoch(
        &mut self,
        epoch: usize,
        observer: &mut dyn Observer,
        cancel: &AtomicBool,
    ) -> Result<Trained, RunError> {
        let started = Instant::now();
        let mut sums = Sums::default();
        let mut complete = true;
        for batch in self.loader.epoch(epoch as u64, 0)? {
            if self.steps == self.total_steps {
                break;
            }
            if cancel.load(Ordering::Relaxed) {
                complete = false;
                break;
            }
            let outcome = self.step(batch?, epoch)?;
            sums.loss += outcome.done.loss;
            sums.gradient_norm += outcome.gradient_norm;
            sums.lr = outcome.lr;
            sums.steps += 1;
            observer.observe(&Event::Step(outcome.done))?;
        }
        let steps = sums.steps.max(1) as f64;
        if complete {
            self.strategy.end_epoch(epoch).map_err(|e| self.strategy_error(e))?;
            self.end_watch()?;
        }
        let trained = Trained { complete, loss: sums.loss / steps, seconds: started.elapsed().as_secs_f64() };
        for remark in self.strategy.remarks() {
            observer.observe(&Event::Note(remark))?;
        }
        if complete {
            observer.observe(&Event::Epoch(EpochDone {
                steps: self.steps,
                epoch,
                train_loss: trained.loss,
                lr: sums.lr,
                gradient_norm: sums.gradient_norm / steps,
                fairness: self.audit.summary().map_or((0, 0), |s| (s.min, s.max)),
                telemetry: self.strategy.telemetry(),
                seconds: trained.seconds,
            }))?;
        }
        Ok(trained)
    }
}
