//! Choosing the architectures of a step.

use crate::Result;
use crate::host::Host;

/// What a strategy may draw from when it plans, and where it puts its plan.
#[derive(Debug)]
pub struct Planner<'a> {
    pub(crate) host: &'a Host,
    /// Number of choices of each decision.
    pub(crate) counts: &'a [u32],
}

impl Planner<'_> {
    /// The number of choices of each decision.
    pub fn counts(&self) -> &[u32] {
        self.counts
    }

    /// Draws one architecture: uniformly, or from the controller once that is trained.
    ///
    /// # Errors
    /// A controller that fails.
    pub fn draw(&mut self) -> Result<Vec<u32>> {
        let mut arch = vec![0; self.counts.len()];
        self.host.draw(&mut arch)?;
        Ok(arch)
    }

    /// Adds an architecture to the plan, with the factor of its loss.
    ///
    /// # Errors
    /// Choices that the space has not, a factor that is not finite, or more than 1024 architectures.
    pub fn add(&mut self, arch: &[u32], weight: f64) -> Result {
        self.host.plan_add(arch, weight)
    }

    /// 64 random bits of the run's own stream: equal seeds give equal runs.
    ///
    /// # Errors
    /// A host without random numbers.
    pub fn random(&mut self) -> Result<u64> {
        self.host.random()
    }

    /// A uniformly random number below `bound`, 0 for a bound of 0.
    ///
    /// # Errors
    /// As [`random`](Self::random).
    pub fn below(&mut self, bound: u64) -> Result<u64> {
        // Numbers of the last, incomplete round of `bound` are drawn again, else small ones would come more often.
        let rest = (u64::MAX % bound.max(1) + 1) % bound.max(1);
        loop {
            let bits = self.random()?;
            if bits <= u64::MAX - rest {
                return Ok(bits % bound.max(1));
            }
        }
    }

    /// Puts values into a uniformly random order (Fisher and Yates).
    ///
    /// # Errors
    /// As [`random`](Self::random).
    pub fn shuffle<T>(&mut self, values: &mut [T]) -> Result {
        for last in (1..values.len()).rev() {
            let other = self.below(last as u64 + 1)?;
            values.swap(last, other as usize);
        }
        Ok(())
    }
}
