//! Training that has left the numbers.

use super::{RunError, Session};
use crate::arch::Arch;
use crate::metrics::disturbance::Observation;
use crate::registry::Target;

impl<D: Target> Session<D> {
    /// That `what` is not finite for `arch`, in the step at hand.
    pub(super) fn diverged(&self, what: &'static str, arch: &Arch) -> RunError {
        self.diverged_in(self.steps, what, arch)
    }

    /// Passes on what an evaluation saw. A loss that is no number comes of weights that are none, and the last step has
    /// made them: the loss of a step is computed before its update.
    pub(super) fn finite(&self, seen: Observation, arch: &Arch) -> Result<Observation, RunError> {
        match seen.loss.is_finite() {
            true => Ok(seen),
            false => Err(self.diverged_in(self.steps.saturating_sub(1), "the loss of an evaluation after it", arch)),
        }
    }

    fn diverged_in(&self, step: u64, what: &'static str, arch: &Arch) -> RunError {
        let (t, batches) = (&self.config.train, self.loader.batches().max(1) as u64);
        RunError::Diverged {
            what,
            step,
            epoch: (step / batches) as usize,
            arch: self.space.format(arch),
            lr: t.lr_schedule.lr(t.lr, t.lr_min, step, self.total_steps),
        }
    }
}
