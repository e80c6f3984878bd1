//! Paired differences between two variants that ran with the same seeds, with interval and test.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::bootstrap::{ConfidenceInterval, percentile_interval};
use super::error::{MetricError, same_length};
use super::summary::Summary;

/// The differences `b - a` of paired measurements, in the unit of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedDifference {
    /// Number of pairs.
    pub n: usize,
    /// Mean difference.
    pub mean: f64,
    /// Sample standard deviation of the differences; `None` for a single pair.
    pub std: Option<f64>,
    /// 95% percentile bootstrap interval of the mean over pairs, which contains the mean; `None` for a single pair.
    pub interval: Option<ConfidenceInterval>,
    /// Two-sided p-value of the sign-flip test. Its smallest possible value is `2^(1 - n)`: 0.0625 for five pairs.
    pub p: f64,
}

/// Computes the paired differences of two series.
///
/// # Errors
/// Series of unequal length, empty series, or values that are not finite.
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
    let interval = percentile_interval(mean, n, resamples, rng, mean_of);
    Ok(PairedDifference { n, mean, std, interval, p: sign_flip_p(&differences, rng) })
}

/// Largest number of differences for which the test enumerates all patterns of signs.
const MAX_EXACT_PAIRS: usize = 13;
/// Number of random patterns of signs for more differences.
const RANDOM_SIGN_PATTERNS: usize = 9999;

/// The two-sided sign-flip test (Fisher 1935): the probability of a mean at least this far from zero if each difference
/// had either sign with probability 1/2. The test is exact for up to 13 differences. For more, it uses 9,999 random
/// patterns of signs and the observed one.
fn sign_flip_p<R: Rng + ?Sized>(differences: &[f64], rng: &mut R) -> f64 {
    let n = differences.len();
    let sum_of = |sign: &mut dyn FnMut(usize) -> bool| -> f64 {
        differences.iter().enumerate().map(|(i, d)| if sign(i) { *d } else { -d }).sum()
    };
    // The tolerance treats sums that differ by rounding as equal.
    let slack = 1e-12 * differences.iter().map(|d| d.abs()).sum::<f64>();
    let far = differences.iter().sum::<f64>().abs() - slack;
    if n <= MAX_EXACT_PAIRS {
        let as_far = (0..1_usize << n).filter(|pattern| sum_of(&mut |i| pattern >> i & 1 == 1).abs() >= far).count();
        return as_far as f64 / (1_usize << n) as f64;
    }
    let as_far = (0..RANDOM_SIGN_PATTERNS).filter(|_| sum_of(&mut |_| rng.random()).abs() >= far).count();
    (as_far + 1) as f64 / (RANDOM_SIGN_PATTERNS + 1) as f64
}

/// Smallest p-value that the sign-flip test can give for `n` pairs, `2^(1 - n)`. It is above 0.05 for fewer than six
/// pairs, so fewer than six pairs cannot show a difference.
pub fn smallest_sign_flip_p(n: usize) -> f64 {
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
        let ConfidenceInterval { lo, hi } = found.interval.unwrap();
        assert!((lo - 0.50).abs() < 0.03 && (hi - 1.58).abs() < 0.03, "{lo} {hi}");
    }

    #[test]
    fn one_pair_has_no_interval_and_unequal_series_are_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let one = paired_difference(&[1.0], &[3.0], 100, &mut rng).unwrap();
        assert_eq!(one, PairedDifference { n: 1, mean: 2.0, std: None, interval: None, p: 1.0 });
        assert!(paired_difference(&[1.0], &[], 100, &mut rng).is_err());
    }

    #[test]
    fn equal_signs_are_no_evidence_below_six_pairs() {
        assert_eq!((smallest_sign_flip_p(1), smallest_sign_flip_p(3)), (1.0, 0.25));
        assert!(smallest_sign_flip_p(5) > 0.05 && smallest_sign_flip_p(6) < 0.05);
    }

    /// SciPy 1.17.1:
    /// ```python
    /// p = lambda d: scipy.stats.permutation_test((np.array(d),), np.mean, permutation_type="samples",
    ///                                            n_resamples=np.inf).pvalue
    /// p([0.9, 1.6, 0.3, 1.9, 0.5])              # 0.0625
    /// p([0.9, 1.6, 0.3, 1.9, 0.5, 0.7])         # 0.03125
    /// p([0.9, -1.6, 0.3, 1.9, 0.5, 0.7, 1.1])   # 0.25
    /// ```
    #[test]
    fn the_sign_flip_test_agrees_with_scipy() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        for (differences, expected) in [
            (&[0.9, 1.6, 0.3, 1.9, 0.5][..], 0.0625),
            (&[0.9, 1.6, 0.3, 1.9, 0.5, 0.7], 0.03125),
            (&[0.9, -1.6, 0.3, 1.9, 0.5, 0.7, 1.1], 0.25),
            (&[0.0, 0.0], 1.0),
        ] {
            assert_eq!(sign_flip_p(differences, &mut rng), expected);
        }
        // For twenty equal differences, only the patterns with equal signs reach the observed mean.
        assert_eq!(sign_flip_p(&[1.0; 20], &mut rng), 1.0 / (RANDOM_SIGN_PATTERNS + 1) as f64);
        let mixed: Vec<f64> = (0..20).map(|i| if i % 2 == 0 { 1.0 } else { -0.8 }).collect();
        assert!(sign_flip_p(&mixed, &mut rng) > 0.3);
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
            prop_assert_eq!(there.p, back.p);
            let (x, y) = (there.interval.unwrap(), back.interval.unwrap());
            prop_assert!((x.lo + y.hi).abs() < 1e-9 && (x.hi + y.lo).abs() < 1e-9);
        }
    }
}
