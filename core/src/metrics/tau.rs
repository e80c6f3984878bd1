//! Kendall's tau-b with its sampling error.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::bootstrap::{ConfidenceInterval, percentile_interval};
use super::error::{MetricError, comparable};
use super::kendall::{dense_ranks, pair_keys, tau_of_pairs};

/// Kendall's tau-b with the number of items and the 95% bootstrap interval over items.
///
/// With 64 items, the standard error of tau is about 0.11.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TauEstimate {
    /// Kendall's tau-b.
    pub tau: f64,
    /// Number of items.
    pub n: usize,
    /// 95% interval, which contains `tau`; `None` if more than 2.5% of the resamples have no tau (few items, or nearly
    /// all tied).
    pub interval: Option<ConfidenceInterval>,
}

/// Computes tau-b between `predicted` and `truth` and its interval over `resamples` resamples of the items; 0 resamples
/// give no interval.
///
/// `predicted` may be any predictor of the ranking, such as shared-weight accuracies or numbers of parameters.
pub fn tau_with_interval<R: Rng + ?Sized>(
    predicted: &[f64],
    truth: &[f64],
    resamples: usize,
    rng: &mut R,
) -> Result<TauEstimate, MetricError> {
    comparable(predicted, truth)?;
    let n = truth.len();
    // Tau depends on the order only. The ranks are computed once, so each resample sorts integers.
    let keys = pair_keys(&dense_ranks(predicted), &dense_ranks(truth));
    let tau = tau_of_pairs(keys.clone()).ok_or(MetricError::Constant { n })?;
    let resampled = |drawn: &[usize]| tau_of_pairs(drawn.iter().map(|&i| keys[i]).collect());
    Ok(TauEstimate { tau, n, interval: percentile_interval(tau, n, resamples, rng, resampled) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::kendall_tau;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// SciPy 1.17.1, up to the noise of the resamples:
    /// ```python
    /// t = [62.1, 58.4, 71.9, 66.0, 69.3, 55.2, 64.8, 60.7, 73.5, 67.1]
    /// p = [40, 35, 52, 47, 51, 30, 44, 41, 55, 43]
    /// scipy.stats.kendalltau(p, t).statistic   # 0.8666666666666666
    /// scipy.stats.bootstrap((p, t), lambda a, b: scipy.stats.kendalltau(a, b).statistic, method="percentile",
    ///                       n_resamples=20000, paired=True, vectorized=False,
    ///                       rng=np.random.default_rng(0)).confidence_interval   # low 0.5675675675675677, high 1.0
    /// ```
    #[test]
    fn interval_agrees_with_scipy() {
        let t = [62.1, 58.4, 71.9, 66.0, 69.3, 55.2, 64.8, 60.7, 73.5, 67.1];
        let p = [40.0, 35.0, 52.0, 47.0, 51.0, 30.0, 44.0, 41.0, 55.0, 43.0];
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let estimate = tau_with_interval(&p, &t, 20_000, &mut rng).unwrap();
        assert!((estimate.tau - 0.8666666666666666).abs() < 1e-14);
        assert_eq!(estimate.tau, kendall_tau(&p, &t).unwrap());
        let interval = estimate.interval.unwrap();
        assert!((interval.lo - 0.5676).abs() < 0.02, "{interval:?}");
        assert_eq!(interval.hi, 1.0);
    }

    /// A third of the resamples draw seven equal predictions and have no tau. The others alone would give the interval
    /// [0.51, 0.83], which excludes tau = 0.5.
    #[test]
    fn nearly_tied_values_have_no_interval_that_excludes_tau() {
        let predicted = [50.0, 50.0, 50.0, 50.0, 50.0, 50.0, 50.0, 52.5];
        let truth = [60.0, 61.0, 62.0, 63.0, 64.0, 65.0, 66.0, 67.0];
        let estimate = tau_with_interval(&predicted, &truth, 1000, &mut ChaCha8Rng::seed_from_u64(0)).unwrap();
        assert_eq!((estimate.tau, estimate.interval), (0.5, None));
    }

    proptest! {
        #[test]
        fn an_interval_contains_its_estimate(
            items in prop::collection::vec((0_u8..4, 0_u8..4), 2..20), seed: u64, resamples in 1_usize..300,
        ) {
            let (predicted, truth): (Vec<f64>, Vec<f64>) = items.iter().map(|&(a, b)| (f64::from(a), f64::from(b))).unzip();
            let estimate = tau_with_interval(&predicted, &truth, resamples, &mut ChaCha8Rng::seed_from_u64(seed));
            if let Ok(TauEstimate { tau, interval: Some(ConfidenceInterval { lo, hi }), .. }) = estimate {
                prop_assert!(lo <= tau && tau <= hi, "{lo} {tau} {hi}");
            }
        }
    }

    #[test]
    fn no_resamples_no_interval_and_errors_as_kendall() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        assert_eq!(tau_with_interval(&[1.0, 2.0], &[3.0, 4.0], 0, &mut rng).unwrap().interval, None);
        assert!(tau_with_interval(&[1.0, 1.0], &[3.0, 4.0], 10, &mut rng).is_err());
        assert!(tau_with_interval(&[1.0], &[3.0, 4.0], 10, &mut rng).is_err());
    }
}
