//! Training of the controller after an epoch.

use super::progress::ControllerProgress;
use crate::event::{ControllerDone, Evaluating, Event, Observer, Phase};
use crate::registry::TrainingDevice;
use crate::trainer::planner::ArchSource;
use crate::trainer::{RunError, Supernet};
use std::sync::atomic::{AtomicBool, Ordering};

/// Trains the controller for one epoch: it samples architectures, and their accuracies with shared weights are its
/// rewards. Returns false if `cancel` became true first; `progress` then holds the position at which to continue.
///
/// # Errors
/// A controller, an evaluation or an observer that fails.
pub fn train_controller<D: TrainingDevice>(
    progress: &mut ControllerProgress,
    epoch: usize,
    source: &mut ArchSource,
    supernet: &Supernet<D>,
    observer: &mut dyn Observer,
    cancel: &AtomicBool,
) -> Result<bool, RunError> {
    let total = source.samples_per_epoch();
    if total == 0 {
        return Ok(true);
    }
    while progress.samples < total {
        if cancel.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let arch = source.sample_controller()?;
        let reward = supernet.evaluate(&arch)? / 100.0;
        source.reward(&arch, reward)?;
        progress.samples += 1;
        progress.rewards += reward;
        let (phase, done) = (Phase::Controller, progress.samples);
        observer.observe(&Event::Evaluating(Evaluating { phase, epoch, done, total }))?;
    }
    let steps = supernet.training().counters().steps;
    let (reward, metrics) = (progress.rewards / total as f64, source.metrics());
    observer.observe(&Event::Controller(ControllerDone { steps, epoch, reward, metrics }))?;
    Ok(true)
}
