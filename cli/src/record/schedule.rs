//! The times at which a training writes checkpoints.

use crate::signal;
use anyhow::Result;
use nas_core::config::{CheckpointInterval, RunConfig};
use nas_core::event::{Event, SavePoint};
use std::time::Instant;

/// Decides at which moments of a training a checkpoint is due: after the interval of `save.checkpoint_every`, at the
/// end of training, at an interrupt, and when a signal asks for one.
#[derive(Debug)]
pub struct CheckpointSchedule {
    interval: CheckpointInterval,
    last: Instant,
    /// Whether the last checkpoint has the present state.
    is_current: bool,
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
            is_current: false,
            served: signal::checkpoint_requests(),
        })
    }

    /// Records that the state of the training may have changed: by a step, an evaluation, or an update of the controller.
    pub fn observe(&mut self, event: &Event<'_>) {
        self.is_current &= matches!(event, Event::Start(_) | Event::Note(_) | Event::Warning(_));
    }

    /// Whether a checkpoint is due at this point of a training.
    pub fn is_due(&self, point: SavePoint) -> bool {
        match (self.interval, point) {
            (CheckpointInterval::Never, _) => false,
            // The checkpoint of the last epoch may have the same state.
            (_, SavePoint::Trained | SavePoint::Interrupted) => !self.is_current,
            _ if signal::checkpoint_requests() > self.served => true,
            (CheckpointInterval::Epochs(epochs), SavePoint::Epoch(done)) => done.is_multiple_of(epochs),
            (CheckpointInterval::Epochs(_), SavePoint::Step) => false,
            (CheckpointInterval::Time(time), _) => self.last.elapsed() >= time,
        }
    }

    /// Starts the next interval. `is_written` is whether a checkpoint was written; writing may fail.
    pub fn restart(&mut self, is_written: bool) {
        self.is_current |= is_written;
        self.served = signal::checkpoint_requests();
        self.last = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nas_core::event::{Evaluating, Phase};
    use toml::Table;

    #[test]
    fn the_last_checkpoint_is_written_unless_the_state_is_the_same() {
        let mut config = RunConfig::from_table(&Table::new()).unwrap();
        config.save.checkpoint_every = "1".into();
        let mut schedule = CheckpointSchedule::new(&config).unwrap();
        assert!(schedule.is_due(SavePoint::Epoch(1)) && schedule.is_due(SavePoint::Trained));
        schedule.restart(true);
        schedule.observe(&Event::Note("a note changes nothing".into()));
        assert!(!schedule.is_due(SavePoint::Trained) && !schedule.is_due(SavePoint::Interrupted));
        // An evaluation or the training of a controller follows without a step.
        let (phase, epoch, done, total) = (Phase::Controller, 0, 1, 9);
        schedule.observe(&Event::Evaluating(Evaluating { phase, epoch, done, total }));
        assert!(schedule.is_due(SavePoint::Trained) && schedule.is_due(SavePoint::Interrupted));
        schedule.restart(false);
        assert!(schedule.is_due(SavePoint::Trained));
    }
}
