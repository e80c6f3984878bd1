//! The times at which a training writes checkpoints.

use crate::signal;
use anyhow::Result;
use nas_core::config::{CheckpointInterval, RunConfig};
use nas_core::event::SavePoint;
use std::time::Instant;

/// Decides at which moments of a training a checkpoint is due: after the interval of `save.checkpoint_every`, at the
/// end of training, at an interrupt, and when a signal asks for one.
#[derive(Debug)]
pub struct CheckpointSchedule {
    interval: CheckpointInterval,
    last: Instant,
    /// The step of the last checkpoint.
    last_step: Option<u64>,
    /// Number of requests by a signal that were served.
    served: u64,
}

impl CheckpointSchedule {
    /// The schedule of a configuration.
    ///
    /// # Errors
    /// An interval that cannot be read.
    pub fn new(config: &RunConfig) -> Result<Self> {
        Ok(Self {
            interval: config.checkpoint_interval()?,
            last: Instant::now(),
            last_step: None,
            served: signal::checkpoint_requests(),
        })
    }

    /// Whether a checkpoint is due at this point of a training with `steps` steps so far.
    pub fn is_due(&self, point: SavePoint, steps: u64) -> bool {
        match (self.interval, point) {
            (CheckpointInterval::Never, _) => false,
            // The last epoch may have written the same state.
            (_, SavePoint::Trained | SavePoint::Interrupted) => self.last_step != Some(steps),
            _ if signal::checkpoint_requests() > self.served => true,
            (CheckpointInterval::Epochs(epochs), SavePoint::Epoch(done)) => done.is_multiple_of(epochs),
            (CheckpointInterval::Epochs(_), SavePoint::Step) => false,
            (CheckpointInterval::Time(time), _) => self.last.elapsed() >= time,
        }
    }

    /// Starts the next interval. `written` is the step of a checkpoint that was written; none if writing failed.
    pub fn restart(&mut self, written: Option<u64>) {
        self.last_step = written.or(self.last_step);
        self.served = signal::checkpoint_requests();
        self.last = Instant::now();
    }
}
