//! What a step of a run costs, found out before the run.

use super::{RunError, Session};
use crate::registry::Target;
use std::time::{Duration, Instant};

/// The size of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepCost {
    /// Architectures that the strategy plans for its first step.
    pub paths: usize,
    /// Steps of an epoch.
    pub steps_per_epoch: usize,
}

impl<D: Target> Session<D> {
    /// Plans one step and gives the session up.
    ///
    /// # Errors
    /// A strategy that cannot plan.
    pub fn step_cost(mut self) -> Result<StepCost, RunError> {
        self.next_plan()?;
        Ok(StepCost { paths: self.plan.paths.len(), steps_per_epoch: self.loader.batches() })
    }

    /// Trains for about this long, at least three steps, and gives the session up; returns the seconds of a step, the
    /// first left out.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn seconds_per_step(mut self, about: Duration) -> Result<f64, RunError> {
        let (mut steps, mut started) = (0_u32, Instant::now());
        for epoch in 0.. {
            for batch in self.loader.epoch(epoch as u64, 0)? {
                self.step(batch?, epoch)?;
                steps += 1;
                if steps == 1 {
                    started = Instant::now();
                } else if steps > 3 && started.elapsed() >= about {
                    return Ok(started.elapsed().as_secs_f64() / f64::from(steps - 1));
                }
            }
        }
        Ok(f64::NAN)
    }
}
