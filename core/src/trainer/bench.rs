//! How long a training step takes.

use super::{RunError, Session};
use crate::arch::Arch;
use crate::data::DataError;
use crate::registry::Target;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The time of some training steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// Steps that were timed; fewer than asked for if it was stopped.
    pub steps: u64,
    /// Sub-network passes in them: one for each architecture that a step trains.
    pub subnet_passes: u64,
    /// Images in them, counted once for each pass.
    pub images: u64,
    /// Seconds that they took.
    pub seconds: f64,
    /// The architecture of each pass.
    pub archs: Vec<Arch>,
}

impl<D: Target> Session<D> {
    /// Trains `warm_up` steps, then times `steps` of them: forward, backward, clipping, update and what the strategy
    /// does. All steps see the first batch, so that reading and augmenting images is no part of it. Stops after the
    /// step at hand when `cancel` becomes true.
    ///
    /// # Errors
    /// As [`run`](Session::run).
    pub fn bench(mut self, warm_up: usize, steps: usize, cancel: &AtomicBool) -> Result<Timing, RunError> {
        let batch = self.loader.epoch(0, 0)?.next().unwrap_or(Err(DataError::Stopped { epoch: 0, batches: 0 }))?;
        for _ in 0..warm_up {
            self.step(batch.clone(), 0)?;
        }
        let (first, passes, images) = (self.steps, self.subnet_passes, self.images);
        let mut archs = vec![];
        let started = Instant::now();
        while self.steps < first + steps as u64 && !cancel.load(Ordering::Relaxed) {
            self.step(batch.clone(), 0)?;
            archs.extend(self.plan.paths.iter().map(|path| path.arch.clone()));
        }
        Ok(Timing {
            seconds: started.elapsed().as_secs_f64(),
            steps: self.steps - first,
            subnet_passes: self.subnet_passes - passes,
            images: self.images - images,
            archs,
        })
    }
}
