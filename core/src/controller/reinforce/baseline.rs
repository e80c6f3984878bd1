//! The baseline of REINFORCE: a moving average of rewards.

/// An exponential moving average of rewards.
///
/// It starts at the first reward and then moves with every reward: `b' = decay b + (1 - decay) reward`. With a start at
/// 0, the first architectures would all have a positive advantage. A baseline equal to the newest reward would make
/// every advantage 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Baseline {
    decay: f64,
    value: Option<f64>,
}

impl Baseline {
    /// A baseline that starts at `value`, or at the first reward for `None`.
    pub(super) fn new(decay: f64, value: Option<f64>) -> Self {
        Self { decay, value }
    }

    /// The average; `None` before the first reward.
    pub(super) fn value(&self) -> Option<f64> {
        self.value
    }

    /// Returns the reward minus the average of the earlier rewards, then adds the reward to the average. The estimate
    /// of the gradient is unbiased because the average excludes the reward itself. The first reward has advantage 0.
    pub(super) fn advantage(&mut self, reward: f64) -> f64 {
        let before = self.value.unwrap_or(reward);
        self.value = Some(self.decay * before + (1.0 - self.decay) * reward);
        reward - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_at_the_first_reward_and_averages_from_there() {
        let mut baseline = Baseline::new(0.9, None);
        assert_eq!(baseline.advantage(0.5), 0.0);
        // For constant rewards r from then on, b_t = r + (b_0 - r) decay^t, and the advantage is r - b_t.
        for t in 0..30 {
            let gap = (1.0 - 0.5) * 0.9_f64.powi(t);
            assert!((baseline.advantage(1.0) - gap).abs() < 1e-12);
            assert!((baseline.value().unwrap() - (1.0 - 0.9 * gap)).abs() < 1e-12);
        }
    }
}
