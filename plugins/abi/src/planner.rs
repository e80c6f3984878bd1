//! Choice of the architectures of a step.

use crate::Result;
use crate::host::Host;

/// Argument of [`Strategy::plan`](crate::Strategy::plan): draws architectures and random numbers, and takes the plan.
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

    /// Draws an architecture: uniformly, or from the controller once its training has started.
    ///
    /// # Errors
    /// The controller fails.
    pub fn draw(&mut self) -> Result<Vec<u32>> {
        let mut arch = vec![0; self.counts.len()];
        self.host.draw(&mut arch)?;
        Ok(arch)
    }

    /// Adds an architecture and the factor of its loss to the plan.
    ///
    /// # Errors
    /// The architecture is not in the search space, the factor is not finite, or the plan has 1024 architectures
    /// already.
    pub fn add(&mut self, arch: &[u32], weight: f64) -> Result {
        self.host.plan_add(arch, weight)
    }

    /// Draws 64 random bits from the stream of the run, which depends on the seed only.
    ///
    /// # Errors
    /// The host returns no random number.
    pub fn random(&mut self) -> Result<u64> {
        self.host.random()
    }

    /// Draws a uniformly distributed number below `bound`. If `bound` is 0, the result is 0.
    ///
    /// # Errors
    /// As [`random`](Self::random).
    pub fn below(&mut self, bound: u64) -> Result<u64> {
        // The largest `rest` numbers are rejected. Without that, the modulo would favour small results.
        let rest = (u64::MAX % bound.max(1) + 1) % bound.max(1);
        loop {
            let bits = self.random()?;
            if bits <= u64::MAX - rest {
                return Ok(bits % bound.max(1));
            }
        }
    }

    /// Puts the values into a uniformly random order (Fisher-Yates shuffle).
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
