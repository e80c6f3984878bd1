//! How evenly training is spread over the choices of each decision.

use serde::{Deserialize, Serialize};

use super::error::{MetricError, same_length};

/// The number of weight updates of every (decision, choice).
///
/// An update is one planned path whose gradient reached the weights of that choice; strict fairness (FairNAS, section 3)
/// means equal counts for all choices of a decision after every step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FairnessAudit {
    /// `counts[decision][choice]`.
    counts: Vec<Vec<u64>>,
}

/// The spread of the counts. Decisions with a single choice are left out: they have nothing to be fair about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FairnessSummary {
    /// The smallest count of any (decision, choice).
    pub min: u64,
    /// The largest count.
    pub max: u64,
    /// The mean count.
    pub mean: f64,
    /// Pearson's chi-square against equal counts, summed over decisions; 0 under strict fairness, about
    /// `degrees_of_freedom` under uniform sampling.
    pub chi_square: f64,
    /// The sum of (choices - 1) over decisions.
    pub degrees_of_freedom: usize,
}

impl FairnessAudit {
    /// An audit of decisions with these numbers of choices, without updates so far.
    pub fn new(choices: &[usize]) -> Self {
        Self { counts: choices.iter().map(|&m| vec![0; m]).collect() }
    }

    /// Counts one update of the path that makes these choices, one for each decision.
    ///
    /// A path that does not fit the decisions is refused, and nothing of it is counted.
    pub fn record<C: Copy + Into<usize>>(&mut self, path: &[C]) -> Result<(), MetricError> {
        same_length("decision", self.counts.len(), path.len())?;
        for (decision, (&choice, counts)) in path.iter().zip(&self.counts).enumerate() {
            let (found, choices) = (choice.into(), counts.len());
            if found >= choices {
                return Err(MetricError::Choice { decision, choices, found });
            }
        }
        for (&choice, counts) in path.iter().zip(&mut self.counts) {
            counts[choice.into()] += 1;
        }
        Ok(())
    }

    /// The number of decisions.
    pub fn decisions(&self) -> usize {
        self.counts.len()
    }

    /// The counts of one decision, by choice; `None` for a decision that does not exist.
    pub fn histogram(&self, decision: usize) -> Option<&[u64]> {
        self.counts.get(decision).map(Vec::as_slice)
    }

    /// Pearson's chi-square `sum (count - e)^2 / e` of one decision against equal counts `e = total / choices`
    /// (`scipy.stats.chisquare(counts).statistic`); `None` before the first update.
    pub fn chi_square(&self, decision: usize) -> Option<f64> {
        chi_square(self.counts.get(decision)?)
    }

    /// The spread over all decisions with at least two choices; `None` if there is no such decision.
    pub fn summary(&self) -> Option<FairnessSummary> {
        let free = || self.counts.iter().filter(|counts| counts.len() > 1);
        let all: Vec<u64> = free().flatten().copied().collect();
        Some(FairnessSummary {
            min: *all.iter().min()?,
            max: *all.iter().max()?,
            mean: all.iter().map(|&count| count as f64).sum::<f64>() / all.len() as f64,
            chi_square: free().filter_map(|counts| chi_square(counts)).sum(),
            degrees_of_freedom: free().map(|counts| counts.len() - 1).sum(),
        })
    }
}

fn chi_square(counts: &[u64]) -> Option<f64> {
    let total: f64 = counts.iter().map(|&count| count as f64).sum();
    let expected = total / counts.len() as f64;
    (total > 0.0).then(|| counts.iter().map(|&count| (count as f64 - expected).powi(2) / expected).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// SciPy 1.17.1:
    /// ```python
    /// scipy.stats.chisquare([10, 12, 8, 9, 11]).statistic   # 1.0
    /// scipy.stats.chisquare([5, 0, 1]).statistic            # 7.0
    /// ```
    #[test]
    fn chi_square_equals_scipy() {
        assert!((chi_square(&[10, 12, 8, 9, 11]).unwrap() - 1.0).abs() < 1e-12);
        assert!((chi_square(&[5, 0, 1]).unwrap() - 7.0).abs() < 1e-12);
        assert_eq!(chi_square(&[0, 0]), None);
        assert_eq!(chi_square(&[]), None);
    }

    #[test]
    fn counts_every_choice_of_a_path() {
        let mut audit = FairnessAudit::new(&[3, 1, 2]);
        audit.record(&[2_u8, 0, 1]).unwrap();
        audit.record(&[2_usize, 0, 0]).unwrap();
        assert_eq!(audit.decisions(), 3);
        assert_eq!(audit.histogram(0), Some(&[0, 0, 2][..]));
        assert_eq!(audit.histogram(2), Some(&[1, 1][..]));
        assert_eq!(audit.histogram(3), None);
        assert_eq!(audit.chi_square(2), Some(0.0));
        assert_eq!(audit.chi_square(9), None);
        let summary = audit.summary().unwrap();
        assert_eq!((summary.min, summary.max, summary.mean), (0, 2, 0.8));
        assert!((summary.chi_square - 4.0).abs() < 1e-12);
        assert_eq!(summary.degrees_of_freedom, 3);
    }

    #[test]
    fn a_path_that_does_not_fit_changes_nothing() {
        let mut audit = FairnessAudit::new(&[2, 2]);
        let before = audit.clone();
        assert_eq!(audit.record(&[0_u8, 2]), Err(MetricError::Choice { decision: 1, choices: 2, found: 2 }));
        assert!(matches!(audit.record(&[0_u8]), Err(MetricError::Length { expected: 2, found: 1, .. })));
        assert_eq!(audit, before);
        assert_eq!(FairnessAudit::new(&[]).summary(), None);
        assert_eq!(FairnessAudit::new(&[1]).summary(), None);
    }

    #[test]
    fn survives_a_checkpoint() {
        let mut audit = FairnessAudit::new(&[2, 3]);
        audit.record(&[1_u8, 2]).unwrap();
        let stored = serde_json::to_string(&audit).unwrap();
        assert_eq!(stored, "[[0,1],[0,0,1]]");
        assert_eq!(serde_json::from_str::<FairnessAudit>(&stored).unwrap(), audit);
    }

    proptest! {
        #[test]
        fn every_path_adds_one_per_decision(paths in prop::collection::vec((0u8..4, 0u8..3), 0..50)) {
            let mut audit = FairnessAudit::new(&[4, 3]);
            for &(a, b) in &paths {
                audit.record(&[a, b]).unwrap();
            }
            for decision in 0..2 {
                let counts = audit.histogram(decision).unwrap();
                prop_assert_eq!(counts.iter().sum::<u64>(), paths.len() as u64);
                if let Some(chi_square) = audit.chi_square(decision) {
                    let fair = counts.iter().all(|&count| count == counts[0]);
                    prop_assert_eq!(chi_square == 0.0, fair);
                }
            }
            let summary = audit.summary().unwrap();
            prop_assert!(summary.min as f64 <= summary.mean && summary.mean <= summary.max as f64);
        }
    }
}
