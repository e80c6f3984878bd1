//! The immediate form: what one step on another architecture does to the previous one, on a fixed batch.

use serde::{Deserialize, Serialize};

use crate::metrics::error::{MetricError, finite};

/// Loss (nats) and accuracy (percent) of one architecture on the fixed batch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Accuracy, in percent.
    pub accuracy: f64,
}

/// Accumulates changes across steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SingleStepDisturbance {
    n: u64,
    loss: f64,
    accuracy: f64,
    abs_loss: f64,
    abs_accuracy: f64,
}

/// Mean changes across one step on another architecture: signed (negative accuracy = disturbance, positive =
/// transfer) and absolute.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SingleStepSummary {
    /// The number of steps.
    pub n: u64,
    /// Mean change of the accuracy, in percentage points.
    pub accuracy: f64,
    /// Mean change of the loss, in nats.
    pub loss: f64,
    /// Mean absolute change of the accuracy, in percentage points.
    pub abs_accuracy: f64,
    /// Mean absolute change of the loss, in nats.
    pub abs_loss: f64,
}

impl SingleStepDisturbance {
    /// Adds the previous architecture's figures before and after a step on another one; refuses values that are not
    /// finite.
    pub fn record(&mut self, before: Observation, after: Observation) -> Result<(), MetricError> {
        finite(&[before.loss, before.accuracy, after.loss, after.accuracy])?;
        let (loss, accuracy) = (after.loss - before.loss, after.accuracy - before.accuracy);
        self.n += 1;
        self.loss += loss;
        self.accuracy += accuracy;
        self.abs_loss += loss.abs();
        self.abs_accuracy += accuracy.abs();
        Ok(())
    }

    /// The means; `None` before the first step.
    pub fn summary(&self) -> Option<SingleStepSummary> {
        let n = self.n as f64;
        (self.n > 0).then(|| SingleStepSummary {
            n: self.n,
            accuracy: self.accuracy / n,
            loss: self.loss / n,
            abs_accuracy: self.abs_accuracy / n,
            abs_loss: self.abs_loss / n,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(loss: f64, accuracy: f64) -> Observation {
        Observation { loss, accuracy }
    }

    /// Accuracy changes -4 and +2 points, loss changes +0.5 and -0.25.
    #[test]
    fn means_by_hand() {
        let mut changes = SingleStepDisturbance::default();
        assert_eq!(changes.summary(), None);
        changes.record(at(1.0, 40.0), at(1.5, 36.0)).unwrap();
        changes.record(at(1.0, 40.0), at(0.75, 42.0)).unwrap();
        let expected = SingleStepSummary { n: 2, accuracy: -1.0, loss: 0.125, abs_accuracy: 3.0, abs_loss: 0.375 };
        assert_eq!(changes.summary(), Some(expected));
    }

    #[test]
    fn divergence_is_refused_and_not_counted() {
        let mut changes = SingleStepDisturbance::default();
        assert!(changes.record(at(1.0, 40.0), at(f64::INFINITY, 10.0)).is_err());
        assert_eq!(changes.summary(), None);
    }
}
