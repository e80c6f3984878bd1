//! Number, mean and sample standard deviation of a figure over several seeds.

use serde::{Deserialize, Serialize};

use super::error::{MetricError, finite};

/// Number, mean and standard deviation of repeated measurements, in the unit of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of measurements.
    pub n: usize,
    /// Mean of the measurements.
    pub mean: f64,
    /// Sample standard deviation `sqrt(sum (x - mean)^2 / (n - 1))`; `None` for a single measurement.
    pub std: Option<f64>,
}

impl Summary {
    /// Summarises measurements.
    ///
    /// # Errors
    /// No measurement, or a value that is not finite.
    pub fn of(values: &[f64]) -> Result<Self, MetricError> {
        let n = values.len();
        if n == 0 {
            return Err(MetricError::TooFew { needed: 1, found: 0 });
        }
        finite(values)?;
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        Ok(Self { n, mean, std: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NumPy 2.4.6:
    /// ```python
    /// v = [93.1, 92.8, 93.6, 91.9, 93.0]
    /// np.mean(v), np.std(v, ddof=1)   # 92.88, 0.6220932405998274
    /// ```
    #[test]
    fn equals_numpy() {
        let summary = Summary::of(&[93.1, 92.8, 93.6, 91.9, 93.0]).unwrap();
        assert_eq!(summary.n, 5);
        assert!((summary.mean - 92.88).abs() < 1e-12);
        assert!((summary.std.unwrap() - 0.6220932405998274).abs() < 1e-12);
    }

    #[test]
    fn one_value_has_no_spread_and_none_no_mean() {
        assert_eq!(Summary::of(&[4.0]), Ok(Summary { n: 1, mean: 4.0, std: None }));
        assert_eq!(Summary::of(&[]), Err(MetricError::TooFew { needed: 1, found: 0 }));
        assert!(matches!(Summary::of(&[1.0, f64::NAN]), Err(MetricError::NotFinite { index: 1, .. })));
    }
}
