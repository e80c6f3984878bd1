//! Single-step disturbance: the change of the previously trained architecture across one step on other architectures.

use serde::{Deserialize, Serialize};

use crate::metrics::Evaluation;
use crate::metrics::error::{MetricError, finite};

/// Accumulates changes of loss and accuracy across steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SingleStepSums {
    n: u64,
    loss: f64,
    accuracy: f64,
    abs_loss: f64,
}

/// Mean changes across one step on other architectures.
///
/// A negative change of accuracy means disturbance, a positive one transfer. Absolute changes measure both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SingleStepSummary {
    /// Number of measured steps.
    pub n: u64,
    /// Mean change of the accuracy, in percentage points.
    pub accuracy: f64,
    /// Mean change of the loss, in nats.
    pub loss: f64,
    /// Mean absolute change of the loss, in nats.
    pub abs_loss: f64,
}

impl SingleStepSums {
    /// Adds one step, with the measurements of the previous architecture before and after it.
    ///
    /// # Errors
    /// Values that are not finite. They are not counted.
    pub fn record(&mut self, before: Evaluation, after: Evaluation) -> Result<(), MetricError> {
        finite(&[before.loss, before.accuracy, after.loss, after.accuracy])?;
        let (loss, accuracy) = (after.loss - before.loss, after.accuracy - before.accuracy);
        self.n += 1;
        self.loss += loss;
        self.accuracy += accuracy;
        self.abs_loss += loss.abs();
        Ok(())
    }

    /// Means over all steps; `None` before the first step.
    pub fn summary(&self) -> Option<SingleStepSummary> {
        let n = self.n as f64;
        (self.n > 0).then(|| SingleStepSummary {
            n: self.n,
            accuracy: self.accuracy / n,
            loss: self.loss / n,
            abs_loss: self.abs_loss / n,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(loss: f64, accuracy: f64) -> Evaluation {
        Evaluation { loss, accuracy }
    }

    /// Accuracy changes -4 and +2 points, loss changes +0.5 and -0.25.
    #[test]
    fn means_by_hand() {
        let mut changes = SingleStepSums::default();
        assert_eq!(changes.summary(), None);
        changes.record(at(1.0, 40.0), at(1.5, 36.0)).unwrap();
        changes.record(at(1.0, 40.0), at(0.75, 42.0)).unwrap();
        let expected = SingleStepSummary { n: 2, accuracy: -1.0, loss: 0.125, abs_loss: 0.375 };
        assert_eq!(changes.summary(), Some(expected));
    }

    #[test]
    fn values_that_are_not_finite_are_not_counted() {
        let mut changes = SingleStepSums::default();
        assert!(changes.record(at(1.0, 40.0), at(f64::INFINITY, 10.0)).is_err());
        assert_eq!(changes.summary(), None);
    }
}
