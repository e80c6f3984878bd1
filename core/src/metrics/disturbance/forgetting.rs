//! Forgetting: the change of an architecture from its own update to the end of the epoch.

use serde::{Deserialize, Serialize};

use crate::metrics::error::{MetricError, finite};

/// Accumulates accuracy at the end of the epoch minus accuracy right after the architecture's own update, in percentage
/// points. Negative values mean forgetting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ForgettingSums {
    n: u64,
    sum: f64,
}

impl ForgettingSums {
    /// Adds one architecture of one epoch, with accuracies in percent.
    ///
    /// # Errors
    /// Values that are not finite. They are not counted.
    pub fn record(&mut self, after_own_update: f64, end_of_epoch: f64) -> Result<(), MetricError> {
        finite(&[after_own_update, end_of_epoch])?;
        self.n += 1;
        self.sum += end_of_epoch - after_own_update;
        Ok(())
    }

    /// Number of measured architectures.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Mean change in percentage points; `None` without a measurement.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_by_hand() {
        let mut forgetting = ForgettingSums::default();
        assert_eq!(forgetting.mean(), None);
        forgetting.record(50.0, 44.0).unwrap();
        forgetting.record(40.0, 42.0).unwrap();
        assert!(forgetting.record(f64::NAN, 42.0).is_err());
        assert_eq!((forgetting.n(), forgetting.mean()), (2, Some(-2.0)));
    }
}
