//! Cost and duration of training steps, measured outside of a run.

use super::training::{DeviceBatch, DeviceBatches};
use super::{RunError, Session};
use crate::arch::Arch;
use crate::data::DataError;
use crate::registry::TrainingDevice;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The duration of consecutive training steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// Timed steps; fewer than requested after an interrupt.
    pub steps: u64,
    /// Sub-net passes of these steps: one for each path of a step.
    pub subnet_passes: u64,
    /// Images of these steps, counted once for each pass.
    pub images: u64,
    /// Duration of all timed steps together.
    pub seconds: f64,
    /// The architecture of each pass.
    pub archs: Vec<Arch>,
}

/// Trains `warm_up` steps, then times `steps` further steps: forward and backward passes, clipping, update, and the
/// hooks of the strategy. All steps train the first batch, so the time does not include reading and augmenting images.
/// Stops after the current step when `cancel` becomes true, in the warm-up too.
///
/// # Errors
/// As [`Session::run`].
pub fn time_steps<D: TrainingDevice>(
    mut session: Session<D>,
    warm_up: usize,
    steps: usize,
    cancel: &AtomicBool,
) -> Result<Timing, RunError> {
    let first = session.loader().epoch(0, 0)?.next();
    let batch = first.unwrap_or(Err(DataError::Stopped { epoch: 0, batches: 0 }))?;
    let device = session.supernet().training().network().device().clone();
    for _ in 0..warm_up {
        if cancel.load(Ordering::Relaxed) {
            break;
        }
        session.step(DeviceBatch::upload(&device, batch.clone())?)?;
    }
    let before = session.supernet().training().counters();
    let mut archs = vec![];
    let started = Instant::now();
    for _ in 0..steps {
        if cancel.load(Ordering::Relaxed) {
            break;
        }
        session.step(DeviceBatch::upload(&device, batch.clone())?)?;
        archs.extend(session.planned_archs().cloned());
    }
    let seconds = started.elapsed().as_secs_f64();
    let after = session.supernet().training().counters();
    Ok(Timing {
        steps: after.steps - before.steps,
        subnet_passes: after.subnet_passes - before.subnet_passes,
        images: after.images - before.images,
        seconds,
        archs,
    })
}

/// Paths of a step and steps of an epoch, which determine the sub-net passes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunShape {
    /// Paths that the strategy plans for its first step.
    pub paths: usize,
    /// Steps of an epoch.
    pub steps_per_epoch: usize,
}

/// Plans the first step of a session.
///
/// # Errors
/// A strategy that cannot plan.
pub fn run_shape<D: TrainingDevice>(mut session: Session<D>) -> Result<RunShape, RunError> {
    Ok(RunShape { paths: session.plan()?.len(), steps_per_epoch: session.loader().batches() })
}

/// Mean duration of a step in seconds, over steps that take `duration` together, at least three. The first step of the
/// session is not timed. `None` if `cancel` became true first.
///
/// # Errors
/// As [`Session::run`].
pub fn seconds_per_step<D: TrainingDevice>(
    mut session: Session<D>,
    duration: Duration,
    cancel: &AtomicBool,
) -> Result<Option<f64>, RunError> {
    let (mut steps, mut started) = (0_u32, Instant::now());
    let cancelled = || cancel.load(Ordering::Relaxed);
    for epoch in 0.. {
        let batches = session.loader().epoch(epoch, 0)?;
        for batch in DeviceBatches::new(session.supernet().training().network().device(), batches) {
            if cancelled() {
                return Ok(None);
            }
            session.step(batch?)?;
            // The last step too, so that an interrupted measurement has no result.
            if cancelled() {
                return Ok(None);
            }
            steps += 1;
            if steps == 1 {
                started = Instant::now();
            } else if steps > 3 && started.elapsed() >= duration {
                return Ok(Some(started.elapsed().as_secs_f64() / f64::from(steps - 1)));
            }
        }
    }
    Ok(None)
}
