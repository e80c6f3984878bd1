//! The reward to expect, against which a reward is good or bad.

/// An exponential moving average of rewards.
///
/// It starts at the first reward and moves with **every** reward after that: `b' = decay b + (1 - decay) reward`. A
/// baseline set to each new reward would leave nothing to learn from; one that starts at 0 would take every
/// architecture for a good one at first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Baseline {
    decay: f64,
    value: Option<f64>,
}

impl Baseline {
    /// A baseline that has seen no reward, or goes on from `value`.
    pub(super) fn new(decay: f64, value: Option<f64>) -> Self {
        Self { decay, value }
    }

    /// The average, if there was a reward.
    pub(super) fn value(&self) -> Option<f64> {
        self.value
    }

    /// How far the reward is above the average of those before it, which it then joins. Leaving it out of what it is
    /// compared with keeps the estimate of the gradient unbiased. The first reward has advantage 0.
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
        // From then on constant rewards: b_t = r + (b_0 - r) decay^t, and the advantage is what is left of the gap.
        for t in 0..30 {
            let gap = (1.0 - 0.5) * 0.9_f64.powi(t);
            assert!((baseline.advantage(1.0) - gap).abs() < 1e-12);
            assert!((baseline.value().unwrap() - (1.0 - 0.9 * gap)).abs() < 1e-12);
        }
    }
}
