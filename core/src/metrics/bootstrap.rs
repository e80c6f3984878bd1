//! Percentile bootstrap: interval of a statistic by resampling its items.

use rand::Rng;
use serde::{Deserialize, Serialize};

/// Default number of resamples. It suffices for the two printed digits (Efron and Tibshirani 1993, section 13.3).
pub const DEFAULT_RESAMPLES: usize = 1000;

/// A 95% percentile interval, in the unit of its statistic.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfidenceInterval {
    /// Lower end: the 2.5th percentile.
    pub lo: f64,
    /// Upper end: the 97.5th percentile.
    pub hi: f64,
}

/// Share of the resamples below the lower end and above the upper end of an interval.
const TAIL: f64 = 0.025;

/// Computes the 95% percentile interval of a statistic of `n` items. `estimate` is the statistic of the items
/// themselves.
///
/// Each of the `resamples` resamples draws `n` indices in `0..n` with replacement and passes them to `statistic`. The
/// ends of the interval are the 2.5th and 97.5th percentiles of the values, interpolated linearly
/// (`scipy.stats.bootstrap(..., method="percentile")`). The same state of `rng` gives the same interval on every
/// machine.
///
/// An undefined statistic (`None` or not finite) of a resample could have any value. It therefore counts as below the
/// lower end and as above the upper end, which widens the interval. The result is `None` for `n < 2`, for 0 resamples,
/// and if the statistic is undefined on more than 2.5% of them: both ends are then unknown.
///
/// The interval contains `estimate`. Where the percentiles exclude it, because the statistic of resamples is biased
/// (tau of nearly tied values is), the nearer end is moved to it.
pub fn percentile_interval<R: Rng + ?Sized>(
    estimate: f64,
    n: usize,
    resamples: usize,
    rng: &mut R,
    mut statistic: impl FnMut(&[usize]) -> Option<f64>,
) -> Option<ConfidenceInterval> {
    if n < 2 || resamples == 0 || !estimate.is_finite() {
        return None;
    }
    let mut drawn = vec![0; n];
    let mut values = Vec::with_capacity(resamples.min(1 << 20));
    for _ in 0..resamples {
        drawn.fill_with(|| rng.random_range(0..n));
        values.extend(statistic(&drawn).filter(|value| value.is_finite()));
    }
    values.sort_unstable_by(f64::total_cmp);
    let (last, undefined) = ((resamples - 1) as f64, (resamples - values.len()) as f64);
    let lo = value_at(&values, TAIL * last - undefined)?;
    let hi = value_at(&values, (1.0 - TAIL) * last)?;
    Some(ConfidenceInterval { lo: lo.min(estimate), hi: hi.max(estimate) })
}

/// The value at a position among sorted values, interpolated linearly as by `numpy.percentile`. `None` for a position
/// below 0 or beyond the last value.
fn value_at(sorted: &[f64], position: f64) -> Option<f64> {
    if position < 0.0 {
        return None;
    }
    let below = position.floor();
    let low = *sorted.get(below as usize)?;
    let high = *sorted.get(position.ceil() as usize)?;
    Some(low + (high - low) * (position - below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn mean(values: &[f64], drawn: &[usize]) -> Option<f64> {
        Some(drawn.iter().map(|&i| values[i]).sum::<f64>() / drawn.len() as f64)
    }

    /// NumPy 2.4.6:
    /// ```python
    /// np.percentile([3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.3], [2.5, 97.5])   # [1.075, 8.444999999999999]
    /// ```
    #[test]
    fn percentiles_equal_numpy() {
        let sorted = [1.0, 1.5, 2.6, 3.0, 4.0, 5.3, 9.0];
        assert!((value_at(&sorted, TAIL * 6.0).unwrap() - 1.075).abs() < 1e-12);
        assert!((value_at(&sorted, (1.0 - TAIL) * 6.0).unwrap() - 8.445).abs() < 1e-12);
        assert_eq!((value_at(&[], 0.0), value_at(&sorted, -0.5), value_at(&sorted, 6.5)), (None, None, None));
    }

    /// SciPy 1.17.1. The resamples differ, so the tolerance is the noise of 20,000 resamples:
    /// ```python
    /// t = [62.1, 58.4, 71.9, 66.0, 69.3, 55.2, 64.8, 60.7, 73.5, 67.1]
    /// scipy.stats.bootstrap((t,), np.mean, method="percentile", n_resamples=200000,
    ///                       rng=np.random.default_rng(0)).confidence_interval   # low 61.44, high 68.32
    /// ```
    #[test]
    fn interval_of_a_mean_agrees_with_scipy() {
        let t = [62.1, 58.4, 71.9, 66.0, 69.3, 55.2, 64.8, 60.7, 73.5, 67.1];
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let interval = percentile_interval(64.89, t.len(), 20_000, &mut rng, |drawn| mean(&t, drawn)).unwrap();
        assert!((interval.lo - 61.44).abs() < 0.15, "{interval:?}");
        assert!((interval.hi - 68.32).abs() < 0.15, "{interval:?}");
    }

    /// The interval over 1,001 resamples with the values 0, 1, 2, ..., of which the first `undefined` are undefined.
    fn of_counts(undefined: usize, estimate: f64) -> Option<ConfidenceInterval> {
        let mut call = 0;
        let mut count = || {
            call += 1;
            (call > undefined).then_some(f64::from(call as u32 - 1))
        };
        percentile_interval(estimate, 5, 1001, &mut ChaCha8Rng::seed_from_u64(1), |_| count())
    }

    #[test]
    fn undefined_resamples_widen_the_interval_and_many_leave_none() {
        assert_eq!(of_counts(0, 500.0), Some(ConfidenceInterval { lo: 25.0, hi: 975.0 }));
        // Ten resamples below the lower end and above the upper end are undefined.
        assert_eq!(of_counts(10, 500.0), Some(ConfidenceInterval { lo: 25.0, hi: 985.0 }));
        assert_eq!(of_counts(25, 500.0), Some(ConfidenceInterval { lo: 25.0, hi: 1000.0 }));
        assert_eq!(of_counts(26, 500.0), None);
    }

    #[test]
    fn an_interval_is_moved_to_the_estimate() {
        assert_eq!(of_counts(0, 10.0), Some(ConfidenceInterval { lo: 10.0, hi: 975.0 }));
        assert_eq!(of_counts(0, 1e6), Some(ConfidenceInterval { lo: 25.0, hi: 1e6 }));
    }

    #[test]
    fn too_few_items_and_undefined_statistics_have_no_interval() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut none =
            |n, resamples, value| percentile_interval(1.0, n, resamples, &mut rng, |_| Some(value)).is_none();
        assert!(none(5, 100, f64::NAN) && none(5, 0, 1.0) && none(1, 100, 1.0) && none(0, 100, 1.0));
        assert_eq!(percentile_interval(f64::NAN, 5, 100, &mut rng, |_| Some(1.0)), None);
    }

    proptest! {
        #[test]
        fn is_ordered_within_the_data_and_repeatable(
            values in prop::collection::vec(-100.0f64..100.0, 2..30), seed: u64, resamples in 1usize..60,
        ) {
            let estimate = values.iter().sum::<f64>() / values.len() as f64;
            let run = || {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                percentile_interval(estimate, values.len(), resamples, &mut rng, |drawn| mean(&values, drawn))
            };
            let interval = run().unwrap();
            prop_assert_eq!(Some(interval), run());
            let min = values.iter().copied().fold(f64::INFINITY, f64::min);
            let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(interval.lo <= estimate && estimate <= interval.hi);
            prop_assert!(min - 1e-9 <= interval.lo && interval.lo <= interval.hi && interval.hi <= max + 1e-9);
        }
    }
}
