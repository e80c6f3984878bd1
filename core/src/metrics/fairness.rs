//! Fairness: distribution of the sub-net passes over the choices of each decision.

use serde::{Deserialize, Serialize};

use super::error::{MetricError, same_length};
use super::mean;

/// Counts the sub-net passes with every choice of every decision.
///
/// Each path of a step is one pass with each of its choices. Strict fairness (FairNAS, section 3) means equal
/// counts for all choices of a decision after every step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FairnessAudit {
    /// `counts[decision][choice]`.
    counts: Vec<Vec<u64>>,
}

/// Smallest, largest and mean count over all choices of decisions with at least two choices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FairnessSummary {
    /// Smallest count.
    pub min: u64,
    /// Largest count.
    pub max: u64,
    /// Mean count.
    pub mean: f64,
}

impl FairnessAudit {
    /// Starts an audit at zero passes. `choices` holds the number of choices of each decision.
    pub fn new(choices: &[usize]) -> Self {
        Self { counts: choices.iter().map(|&m| vec![0; m]).collect() }
    }

    /// Counts one path, given by its choice for each decision.
    ///
    /// # Errors
    /// A wrong number of choices, or a choice out of range. The counts then stay unchanged.
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

    /// Number of decisions.
    pub fn decisions(&self) -> usize {
        self.counts.len()
    }

    /// Counts of one decision by choice; `None` for a decision that does not exist.
    pub fn histogram(&self, decision: usize) -> Option<&[u64]> {
        self.counts.get(decision).map(Vec::as_slice)
    }

    /// Smallest, largest and mean count; `None` if no decision has at least two choices.
    pub fn summary(&self) -> Option<FairnessSummary> {
        let free = || self.counts.iter().filter(|counts| counts.len() > 1);
        let all: Vec<u64> = free().flatten().copied().collect();
        Some(FairnessSummary {
            min: *all.iter().min()?,
            max: *all.iter().max()?,
            mean: mean(all.iter().map(|&count| count as f64))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_every_choice_of_a_path() {
        let mut audit = FairnessAudit::new(&[3, 1, 2]);
        audit.record(&[2_u8, 0, 1]).unwrap();
        audit.record(&[2_usize, 0, 0]).unwrap();
        assert_eq!(audit.decisions(), 3);
        assert_eq!(audit.histogram(0), Some(&[0, 0, 2][..]));
        assert_eq!(audit.histogram(2), Some(&[1, 1][..]));
        assert_eq!(audit.histogram(3), None);
        let summary = audit.summary().unwrap();
        assert_eq!((summary.min, summary.max, summary.mean), (0, 2, 0.8));
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
    fn json_restores_the_counts() {
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
            }
            let summary = audit.summary().unwrap();
            prop_assert!(summary.min as f64 <= summary.mean && summary.mean <= summary.max as f64);
        }
    }
}
