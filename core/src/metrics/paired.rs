//! Two treatments on the same seeds: the difference, and how far it can be trusted.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::bootstrap::{Interval, percentile_interval};
use super::error::{MetricError, same_length};
use super::summary::Summary;

/// The difference `b - a` of paired measurements, in their own unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedDifference {
    /// Number of pairs.
    pub n: usize,
    /// Mean difference.
    pub mean: f64,
    /// Sample standard deviation of the differences; `None` for a single pair.
    pub std: Option<f64>,
    /// 95% percentile bootstrap interval of the mean over pairs; `None` for a single pair.
    pub interval: Option<Interval>,
}

/// Compares two series, pair by pair.
///
/// # Errors
/// Series of unequal length, empty ones, values that are not finite.
pub fn paired_difference<R: Rng + ?Sized>(
    a: &[f64],
    b: &[f64],
    resamples: usize,
    rng: &mut R,
) -> Result<PairedDifference, MetricError> {
    same_length("pair", a.len(), b.len())?;
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
    let Summary { n, mean, std } = Summary::of(&differences)?;
    let mean_of = |drawn: &[usize]| Some(drawn.iter().map(|&i| differences[i]).sum::<f64>() / n as f64);
    Ok(PairedDifference { n, mean, std, interval: percentile_interval(n, resamples, rng, mean_of) })
}

/// The 95% percentile interval of the mean over groups of a statistic of each group's items, resampling on both levels:
/// groups with replacement, then the items within each drawn group.
///
/// `sizes` are the numbers of items; `statistic(group, items)` is called with the drawn positions. A resample with an
/// undefined statistic is left out as in [`percentile_interval`]. With one group only its items are resampled, so the
/// interval then says nothing about other groups.
pub fn two_level_interval<R: Rng + ?Sized>(
    sizes: &[usize],
    resamples: usize,
    rng: &mut R,
    mut statistic: impl FnMut(usize, &[usize]) -> Option<f64>,
) -> Option<Interval> {
    if sizes.is_empty() || sizes.contains(&0) {
        return None;
    }
    let mut inner = ChaChaFork::of(rng);
    let mut of_groups = |groups: &mut dyn Iterator<Item = usize>| {
        let (mut sum, mut count) = (0.0, 0);
        for group in groups {
            let items: Vec<usize> = (0..sizes[group]).map(|_| inner.0.random_range(0..sizes[group])).collect();
            sum += statistic(group, &items)?;
            count += 1;
        }
        Some(sum / f64::from(count))
    };
    match sizes.len() {
        // Two equal items: the resampling of groups has but one outcome.
        1 => percentile_interval(2, resamples, rng, |_| of_groups(&mut std::iter::once(0))),
        n => percentile_interval(n, resamples, rng, |drawn| of_groups(&mut drawn.iter().copied())),
    }
}

/// A generator that goes on from another, so that both can be drawn from at once.
struct ChaChaFork(rand_chacha::ChaCha8Rng);

impl ChaChaFork {
    fn of<R: Rng + ?Sized>(rng: &mut R) -> Self {
        Self(rand::SeedableRng::from_seed(rng.random()))
    }
}

/// How likely chance alone gives `n` differences of equal sign: `2^(1 - n)`. Above 0.05, that is below six pairs, no
/// agreement among them can show a difference.
pub fn chance_of_equal_signs(n: usize) -> f64 {
    0.5_f64.powi(i32::try_from(n).unwrap_or(i32::MAX).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// SciPy 1.17.1; with 20,000 resamples the rest is noise:
    /// ```python
    /// a = np.array([61.2, 58.4, 63.9, 60.0, 62.3]); b = np.array([62.1, 60.0, 64.2, 61.9, 62.8])
    /// d = b - a   # mean 1.04, std (ddof=1) 0.691375
    /// scipy.stats.bootstrap((d,), np.mean, method="percentile", n_resamples=200000,
    ///                       rng=np.random.default_rng(0)).confidence_interval   # low 0.50, high 1.58
    /// ```
    #[test]
    fn difference_and_interval_agree_with_scipy() {
        let (a, b) = ([61.2, 58.4, 63.9, 60.0, 62.3], [62.1, 60.0, 64.2, 61.9, 62.8]);
        let found = paired_difference(&a, &b, 20_000, &mut ChaCha8Rng::seed_from_u64(0)).unwrap();
        assert_eq!(found.n, 5);
        assert!((found.mean - 1.04).abs() < 1e-9 && (found.std.unwrap() - 0.691_375).abs() < 1e-6, "{found:?}");
        let Interval { lo, hi } = found.interval.unwrap();
        assert!((lo - 0.50).abs() < 0.03 && (hi - 1.58).abs() < 0.03, "{lo} {hi}");
    }

    #[test]
    fn one_pair_has_no_interval_and_unequal_series_are_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let one = paired_difference(&[1.0], &[3.0], 100, &mut rng).unwrap();
        assert_eq!(one, PairedDifference { n: 1, mean: 2.0, std: None, interval: None });
        assert!(paired_difference(&[1.0], &[], 100, &mut rng).is_err());
    }

    #[test]
    fn equal_signs_are_no_evidence_below_six_pairs() {
        assert_eq!((chance_of_equal_signs(1), chance_of_equal_signs(3)), (1.0, 0.25));
        assert!(chance_of_equal_signs(5) > 0.05 && chance_of_equal_signs(6) < 0.05);
    }

    /// The variance of a two-level mean is that of the groups' means plus that within them over the number of groups.
    #[test]
    fn both_levels_widen_the_interval() {
        let width = |groups: &[[f64; 4]]| {
            let mut rng = ChaCha8Rng::seed_from_u64(3);
            let mean = |group: usize, items: &[usize]| Some(items.iter().map(|&i| groups[group][i]).sum::<f64>() / 4.0);
            let Interval { lo, hi } = two_level_interval(&vec![4; groups.len()], 4000, &mut rng, mean).unwrap();
            hi - lo
        };
        let (flat, within) = ([[0.0; 4], [1.0; 4]], [[0.0, 1.0, 0.0, 1.0]; 2]);
        assert_eq!(width(&flat), 1.0);
        let one = width(&within[..1]);
        assert!(width(&within) < one, "two groups of equal spread average it");
        assert!(width(&[[0.0, 1.0, 0.0, 1.0], [1.0, 2.0, 1.0, 2.0]]) > width(&within));
    }

    proptest! {
        #[test]
        fn swapping_the_treatments_turns_the_sign(
            pairs in prop::collection::vec((-100.0f64..100.0, -100.0f64..100.0), 2..12), seed: u64,
        ) {
            let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let difference = |a: &[f64], b: &[f64]| {
                paired_difference(a, b, 50, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
            };
            let (there, back) = (difference(&a, &b), difference(&b, &a));
            prop_assert!((there.mean + back.mean).abs() < 1e-9);
            let (x, y) = (there.interval.unwrap(), back.interval.unwrap());
            prop_assert!((x.lo + y.hi).abs() < 1e-9 && (x.hi + y.lo).abs() < 1e-9);
        }
    }
}
