//! Performance disturbance and rank stability of probe architectures over the epochs of a run.

use serde::{Deserialize, Serialize};

use crate::metrics::error::{MetricError, finite, same_length};
use crate::metrics::{kendall_tau, mean};

/// Accuracies of the probe architectures after every epoch, in percent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct ProbeHistory {
    probes: usize,
    /// `epochs[t][probe]`; every row has `probes` entries.
    epochs: Vec<Vec<f64>>,
}

/// Performance disturbance over an interval of k epochs, in percentage points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PerformanceDisturbance {
    /// Interval k between the two compared epochs, in epochs.
    pub interval: usize,
    /// Number of pairs of epochs (t, t + k).
    pub n: usize,
    /// Mean of `|acc_(t+k) - acc_t|` over all probes and all pairs.
    pub mean: f64,
    /// Mean over the pairs whose epochs both lie in the second half of the run; `None` without such a pair.
    pub second_half: Option<f64>,
}

/// Rank stability: Kendall's tau-b between the rankings of the probes k epochs apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankStabilityEstimate {
    /// Interval k between the two compared epochs, in epochs.
    pub interval: usize,
    /// Number of pairs of epochs with a defined tau. Tau is undefined if all probes have equal accuracy.
    pub n: usize,
    /// Mean tau over these pairs.
    pub mean: f64,
}

impl ProbeHistory {
    /// An empty history of `probes` architectures.
    pub fn new(probes: usize) -> Self {
        Self { probes, epochs: Vec::new() }
    }

    /// Appends the accuracies after one epoch, one for each probe in a fixed order.
    ///
    /// # Errors
    /// A wrong number of accuracies, or values that are not finite.
    pub fn push(&mut self, accuracies: Vec<f64>) -> Result<(), MetricError> {
        same_length("probe architecture", self.probes, accuracies.len())?;
        finite(&accuracies)?;
        self.epochs.push(accuracies);
        Ok(())
    }

    /// The number of probe architectures.
    pub fn probes(&self) -> usize {
        self.probes
    }

    /// Accuracies in percent: one row for each epoch so far, one entry for each probe architecture.
    pub fn accuracies(&self) -> &[Vec<f64>] {
        &self.epochs
    }

    /// Number of epochs so far.
    pub fn epochs(&self) -> usize {
        self.epochs.len()
    }

    /// Mean accuracy of the probes after the last epoch, in percent; `None` before the first epoch or without probes.
    pub fn mean_accuracy(&self) -> Option<f64> {
        mean(self.epochs.last()?.iter().copied())
    }

    /// Performance disturbance over `k` epochs; `None` with fewer than k + 1 epochs, without probes, or for `k = 0`.
    pub fn performance_disturbance(&self, k: usize) -> Option<PerformanceDisturbance> {
        let changes: Vec<f64> = self
            .pairs(k)
            .map(|(before, after)| mean(before.iter().zip(after).map(|(b, a)| (a - b).abs())))
            .collect::<Option<_>>()?;
        let half = self.epochs.len().div_ceil(2);
        Some(PerformanceDisturbance {
            interval: k,
            n: changes.len(),
            mean: mean(changes.iter().copied())?,
            second_half: mean(changes.iter().copied().skip(half)),
        })
    }

    /// Rank stability over `k` epochs; `None` if no tau is defined.
    pub fn rank_stability(&self, k: usize) -> Option<RankStabilityEstimate> {
        let taus: Vec<f64> = self.pairs(k).filter_map(|(before, after)| kendall_tau(before, after).ok()).collect();
        Some(RankStabilityEstimate { interval: k, n: taus.len(), mean: mean(taus.iter().copied())? })
    }

    /// All pairs of epochs (t, t + k); none for `k = 0`.
    fn pairs(&self, k: usize) -> impl Iterator<Item = (&[f64], &[f64])> {
        let later = self.epochs.get(k..).filter(|_| k > 0).unwrap_or_default();
        self.epochs.iter().zip(later).map(|(before, after)| (before.as_slice(), after.as_slice()))
    }
}

/// The stored form of a history, whose rows have not been checked yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    probes: usize,
    epochs: Vec<Vec<f64>>,
}

impl TryFrom<Stored> for ProbeHistory {
    type Error = MetricError;

    fn try_from(stored: Stored) -> Result<Self, MetricError> {
        let mut history = Self::new(stored.probes);
        stored.epochs.into_iter().try_for_each(|epoch| history.push(epoch))?;
        Ok(history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn history(epochs: &[&[f64]]) -> ProbeHistory {
        let mut history = ProbeHistory::new(epochs.first().map_or(0, |e| e.len()));
        epochs.iter().for_each(|epoch| history.push(epoch.to_vec()).unwrap());
        history
    }

    /// Accuracies that grow by 2 points an epoch differ by 2 k at interval k, and keep their ranking.
    #[test]
    fn linear_growth_has_a_closed_form() {
        let epochs: Vec<Vec<f64>> =
            (0..20).map(|t| vec![10.0 + 2.0 * f64::from(t), 20.0 + 2.0 * f64::from(t)]).collect();
        let history = history(&epochs.iter().map(Vec::as_slice).collect::<Vec<_>>());
        for k in 1..20 {
            let change = history.performance_disturbance(k).unwrap();
            assert_eq!((change.interval, change.n, change.mean), (k, 20 - k, 2.0 * k as f64));
            assert_eq!(change.second_half, (k < 10).then_some(2.0 * k as f64));
            assert_eq!(history.rank_stability(k).unwrap(), RankStabilityEstimate { interval: k, n: 20 - k, mean: 1.0 });
        }
        assert_eq!(history.performance_disturbance(20), None);
        assert_eq!(history.rank_stability(20), None);
        assert_eq!(history.performance_disturbance(0), None);
        assert_eq!(history.mean_accuracy(), Some(53.0));
    }

    /// Five epochs of one probe, k = 1: changes 4, 2, 6, 1. The second half is epochs 3 and 4, whose only pair changes
    /// by 1.
    #[test]
    fn second_half_by_hand() {
        let history = history(&[&[10.0], &[14.0], &[12.0], &[18.0], &[17.0]]);
        let change = history.performance_disturbance(1).unwrap();
        assert_eq!((change.mean, change.second_half), (3.25, Some(1.0)));
    }

    #[test]
    fn undefined_rankings_are_skipped() {
        let history = history(&[&[5.0, 5.0], &[1.0, 2.0], &[2.0, 1.0]]);
        assert_eq!(history.rank_stability(1), Some(RankStabilityEstimate { interval: 1, n: 1, mean: -1.0 }));
        assert_eq!(history.rank_stability(2), None);
    }

    #[test]
    fn wrong_numbers_of_probes_and_values_that_are_not_finite_are_errors() {
        let mut history = ProbeHistory::new(2);
        assert!(matches!(history.push(vec![1.0]), Err(MetricError::Length { expected: 2, found: 1, .. })));
        assert!(matches!(history.push(vec![1.0, f64::NAN]), Err(MetricError::NotFinite { index: 1, .. })));
        assert_eq!((history.epochs(), history.mean_accuracy()), (0, None));
    }

    #[test]
    fn json_restores_a_history_and_checks_its_rows() {
        let history = history(&[&[1.0, 2.0], &[3.0, 4.0]]);
        let stored = serde_json::to_string(&history).unwrap();
        assert_eq!(serde_json::from_str::<ProbeHistory>(&stored).unwrap(), history);
        assert!(serde_json::from_str::<ProbeHistory>(r#"{"probes":2,"epochs":[[1.0]]}"#).is_err());
    }

    proptest! {
        #[test]
        fn constant_accuracies_are_not_disturbed(
            epoch in prop::collection::vec(0.0f64..100.0, 1..10), epochs in 2usize..12, k in 1usize..12,
        ) {
            let mut history = ProbeHistory::new(epoch.len());
            for _ in 0..epochs {
                history.push(epoch.clone()).unwrap();
            }
            prop_assert_eq!(history.performance_disturbance(k).map(|c| c.mean), (k < epochs).then_some(0.0));
            if let Some(stability) = history.rank_stability(k) {
                prop_assert!((stability.mean - 1.0).abs() < 1e-12);
            }
        }

        #[test]
        fn change_equals_its_definition(
            epochs in prop::collection::vec(prop::collection::vec(0.0f64..100.0, 3), 0..12), k: usize,
        ) {
            let mut history = ProbeHistory::new(3);
            for epoch in &epochs {
                history.push(epoch.clone()).unwrap();
            }
            for k in [k, k % 12] {
                // Mean over the probes and over all pairs (t, t + k) from epoch `first` on.
                let definition = |first: usize| {
                    let (mut sum, mut n) = (0.0, 0);
                    for t in first..epochs.len().saturating_sub(k) {
                        for (before, after) in epochs[t].iter().zip(&epochs[t + k]) {
                            sum += (after - before).abs();
                            n += 1;
                        }
                    }
                    (k > 0 && n > 0).then(|| sum / f64::from(n))
                };
                let agree = |found: Option<f64>, expected: Option<f64>| match (found, expected) {
                    (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
                    (found, expected) => found == expected,
                };
                let change = history.performance_disturbance(k);
                prop_assert!(agree(change.map(|c| c.mean), definition(0)));
                prop_assert!(agree(change.and_then(|c| c.second_half), definition(epochs.len().div_ceil(2))));
                prop_assert!(history.rank_stability(k).is_none_or(|s| (-1.0..=1.0).contains(&s.mean)));
            }
        }
    }
}
