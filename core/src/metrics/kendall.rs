//! Kendall's tau-b, with ties, in O(n log n).
//!
//! With `n0 = n (n - 1) / 2` pairs, of which `n1` are tied in x, `n2` tied in y, `C` concordant and `D` discordant:
//! ```text
//! tau_b = (C - D) / sqrt((n0 - n1) (n0 - n2))
//! ```
//! Knight (1966): after sorting by x, then y, `D` is the number of exchanges that a merge sort by y makes, and
//! `C - D = n0 - n1 - n2 + n3 - 2 D` with `n3` pairs tied in both.

use super::error::{MetricError, comparable};

/// Computes Kendall's tau-b between two rankings of the same items. It lies between -1 and 1, and 1 means equal order.
///
/// The value equals `scipy.stats.kendalltau(x, y).statistic`.
///
/// # Errors
/// Unequal lengths, fewer than two items, values that are not finite, or a series of equal values (tau would be 0/0).
pub fn kendall_tau(x: &[f64], y: &[f64]) -> Result<f64, MetricError> {
    comparable(x, y)?;
    tau_of_pairs(pair_keys(&dense_ranks(x), &dense_ranks(y))).ok_or(MetricError::Constant { n: x.len() })
}

/// Position of each value among the distinct values, from 0. Values must not be NaN.
pub(crate) fn dense_ranks(values: &[f64]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    // Adding 0.0 turns -0.0 into 0.0; `total_cmp` would order -0.0 before 0.0.
    order.sort_unstable_by(|&a, &b| (values[a] + 0.0).total_cmp(&(values[b] + 0.0)));
    let mut ranks = vec![0; values.len()];
    let mut rank = 0;
    for pair in order.windows(2) {
        rank += u32::from(values[pair[0]] != values[pair[1]]);
        ranks[pair[1]] = rank;
    }
    ranks
}

/// Packs both ranks of each item into one integer that sorts by x, then y.
pub(crate) fn pair_keys(x: &[u32], y: &[u32]) -> Vec<u64> {
    x.iter().zip(y).map(|(&x, &y)| u64::from(x) << 32 | u64::from(y)).collect()
}

/// Tau-b of items that [`pair_keys`] packed; `None` where tau is undefined.
pub(crate) fn tau_of_pairs(mut keys: Vec<u64>) -> Option<f64> {
    keys.sort_unstable();
    let n0 = pairs(keys.len());
    let n1 = tied_pairs(&keys, |key| key >> 32);
    let n3 = tied_pairs(&keys, |key| key);
    let mut y: Vec<u32> = keys.iter().map(|&key| key as u32).collect();
    let discordant = merge_sort_exchanges(&mut y);
    let n2 = tied_pairs(&y, |y| y);
    if n0 == n1 || n0 == n2 {
        return None;
    }
    let difference = n0 - n1 - n2 + n3 - 2 * discordant;
    // The root of the product, not the product of roots: equal rankings then give exactly 1.
    let tau = difference as f64 / ((n0 - n1) as f64 * (n0 - n2) as f64).sqrt();
    Some(tau.clamp(-1.0, 1.0))
}

/// Number of pairs among `n` items. Signed, because pair counts are subtracted; exact for `n < 2^32`.
fn pairs(n: usize) -> i64 {
    let n = n as i64;
    n * (n - 1).max(0) / 2
}

/// Number of pairs with equal `part`, in a sequence where items with equal parts are neighbours.
fn tied_pairs<T: Copy, P: PartialEq>(sorted: &[T], part: impl Fn(T) -> P) -> i64 {
    sorted.chunk_by(|&a, &b| part(a) == part(b)).map(|run| pairs(run.len())).sum()
}

/// Sorts `values` and returns the number of pairs that were in the wrong order. Equal values count as ordered.
fn merge_sort_exchanges(values: &mut [u32]) -> i64 {
    let n = values.len();
    let mut buffer = vec![0; n];
    let mut exchanges = 0;
    let mut width = 1;
    while width < n {
        for (run, out) in values.chunks(2 * width).zip(buffer.chunks_mut(2 * width)) {
            let (left, right) = run.split_at(width.min(run.len()));
            exchanges += merge(left, right, out);
        }
        values.copy_from_slice(&buffer);
        width *= 2;
    }
    exchanges
}

/// Merges two sorted runs into `out` and returns the number of exchanges: an element taken from `right` passes all
/// elements that remain in `left`.
fn merge(left: &[u32], right: &[u32], out: &mut [u32]) -> i64 {
    let (mut l, mut r, mut exchanges) = (0, 0, 0);
    for slot in out {
        if r == right.len() || (l < left.len() && left[l] <= right[r]) {
            *slot = left[l];
            l += 1;
        } else {
            *slot = right[r];
            r += 1;
            exchanges += (left.len() - l) as i64;
        }
    }
    exchanges
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LCG_X, lcg_pair};
    use super::*;
    use proptest::prelude::*;

    /// The definition, pair by pair.
    fn oracle(x: &[f64], y: &[f64]) -> Option<f64> {
        let (mut s, mut untied_x, mut untied_y) = (0.0, 0.0, 0.0);
        for i in 0..x.len() {
            for j in 0..i {
                let sign = |a: f64, b: f64| f64::from(i8::from(a > b) - i8::from(a < b));
                let (dx, dy) = (sign(x[i], x[j]), sign(y[i], y[j]));
                s += dx * dy;
                untied_x += dx * dx;
                untied_y += dy * dy;
            }
        }
        (untied_x > 0.0 && untied_y > 0.0).then(|| s / f64::sqrt(untied_x * untied_y))
    }

    /// SciPy 1.17.1:
    /// ```python
    /// x = [12.5, 3.0, 3.0, 7.25, 1.0, 9.0, 9.0, 4.5]
    /// y = [10.0, 2.0, 5.0, 5.0, 2.0, 9.5, 8.0, 2.0]
    /// scipy.stats.kendalltau(x, y).statistic   # 0.8006407690254358
    /// ```
    #[test]
    fn equals_scipy_on_a_small_case_with_ties() {
        let x = [12.5, 3.0, 3.0, 7.25, 1.0, 9.0, 9.0, 4.5];
        let y = [10.0, 2.0, 5.0, 5.0, 2.0, 9.5, 8.0, 2.0];
        assert!((kendall_tau(&x, &y).unwrap() - 0.8006407690254358).abs() < 1e-15);
    }

    /// SciPy 1.17.1, 500 integers of 40 and 99 distinct values:
    /// ```python
    /// def lcg(n, m, s):
    ///     out = []
    ///     for _ in range(n):
    ///         s = (s * 6364136223846793005 + 1442695040888963407) % 2**64
    ///         out.append((s >> 33) % m)
    ///     return out
    /// a = lcg(500, 40, 1); b = [u + v for u, v in zip(a, lcg(500, 60, 2))]
    /// a[:4], b[:4]                             # [14, 33, 36, 30], [54, 75, 72, 74]
    /// scipy.stats.kendalltau(a, b).statistic   # 0.3842972116985627
    /// ```
    #[test]
    fn equals_scipy_on_many_ties() {
        let (a, b) = lcg_pair();
        assert_eq!(a[..4], LCG_X);
        assert!((kendall_tau(&a, &b).unwrap() - 0.3842972116985627).abs() < 1e-14);
    }

    #[test]
    fn undefined_tau_is_an_error() {
        assert_eq!(kendall_tau(&[], &[]), Err(MetricError::TooFew { needed: 2, found: 0 }));
        assert_eq!(kendall_tau(&[1.0], &[1.0]), Err(MetricError::TooFew { needed: 2, found: 1 }));
        assert!(matches!(kendall_tau(&[1.0, 2.0], &[1.0]), Err(MetricError::Length { expected: 2, found: 1, .. })));
        assert_eq!(kendall_tau(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), Err(MetricError::Constant { n: 3 }));
        assert_eq!(kendall_tau(&[0.0, -0.0], &[1.0, 2.0]), Err(MetricError::Constant { n: 2 }));
        assert!(matches!(kendall_tau(&[1.0, f64::NAN], &[1.0, 2.0]), Err(MetricError::NotFinite { index: 1, .. })));
        assert!(matches!(
            kendall_tau(&[1.0, 2.0], &[f64::INFINITY, 2.0]),
            Err(MetricError::NotFinite { index: 0, .. })
        ));
    }

    proptest! {
        #[test]
        fn equals_the_definition(items in prop::collection::vec((-6i8..6, -6i8..6), 0..60)) {
            let (x, y): (Vec<f64>, Vec<f64>) = items.iter().map(|&(x, y)| (f64::from(x), f64::from(y))).unzip();
            match (kendall_tau(&x, &y).ok(), oracle(&x, &y)) {
                (Some(fast), Some(slow)) => prop_assert!((fast - slow).abs() < 1e-12, "{fast} {slow}"),
                (fast, slow) => prop_assert_eq!(fast, slow),
            }
        }

        #[test]
        fn is_symmetric_bounded_and_invariant_under_monotone_maps(
            items in prop::collection::vec((-1e3f64..1e3, -1e3f64..1e3), 2..60),
        ) {
            let (x, y): (Vec<f64>, Vec<f64>) = items.into_iter().unzip();
            let tau = kendall_tau(&x, &y).unwrap();
            prop_assert!((-1.0..=1.0).contains(&tau));
            prop_assert_eq!(tau, kendall_tau(&y, &x).unwrap());
            let doubled: Vec<f64> = x.iter().map(|v| 2.0 * v).collect();
            prop_assert_eq!(tau, kendall_tau(&doubled, &y).unwrap());
            let reversed: Vec<f64> = x.iter().map(|v| -v).collect();
            prop_assert_eq!(tau, -kendall_tau(&reversed, &y).unwrap());
            prop_assert_eq!(kendall_tau(&x, &x).unwrap(), 1.0);
        }

        #[test]
        fn never_panics(x in prop::collection::vec(any::<f64>(), 0..20), y in prop::collection::vec(any::<f64>(), 0..20)) {
            let _ = kendall_tau(&x, &y);
        }
    }
}
