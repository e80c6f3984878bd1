//! Spearman's rank correlation: Pearson's correlation of average ranks.

use super::error::{MetricError, comparable};

/// Computes Spearman's rho between two rankings of the same items. It lies between -1 and 1; tied values get the
/// average of their ranks.
///
/// The value equals `scipy.stats.spearmanr(x, y).statistic`.
///
/// # Errors
/// The same as [`kendall_tau`](super::kendall_tau).
pub fn spearman(x: &[f64], y: &[f64]) -> Result<f64, MetricError> {
    comparable(x, y)?;
    // The mean of the ranks 1 to n is (n + 1) / 2, with and without ties.
    let mean = (x.len() as f64 + 1.0) / 2.0;
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (rx, ry) in average_ranks(x).into_iter().zip(average_ranks(y)) {
        let (dx, dy) = (rx - mean, ry - mean);
        xy += dx * dy;
        xx += dx * dx;
        yy += dy * dy;
    }
    if xx == 0.0 || yy == 0.0 {
        return Err(MetricError::Constant { n: x.len() });
    }
    Ok((xy / (xx.sqrt() * yy.sqrt())).clamp(-1.0, 1.0))
}

/// Rank of each value, from 1 for the smallest. Equal values get the average of the ranks that they occupy
/// (`scipy.stats.rankdata`).
fn average_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| (values[a] + 0.0).total_cmp(&(values[b] + 0.0)));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for run in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = before as f64 + (run.len() as f64 + 1.0) / 2.0;
        run.iter().for_each(|&item| ranks[item] = rank);
        before += run.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::super::tests::lcg_pair;
    use super::*;
    use proptest::prelude::*;

    /// SciPy 1.17.1:
    /// ```python
    /// scipy.stats.rankdata([12.5, 3.0, 3.0, 7.25, 1.0, 9.0, 9.0, 4.5])   # [8, 2.5, 2.5, 5, 1, 6.5, 6.5, 4]
    /// ```
    #[test]
    fn ranks_equal_scipy() {
        let ranks = average_ranks(&[12.5, 3.0, 3.0, 7.25, 1.0, 9.0, 9.0, 4.5]);
        assert_eq!(ranks, [8.0, 2.5, 2.5, 5.0, 1.0, 6.5, 6.5, 4.0]);
    }

    /// SciPy 1.17.1, `a` and `b` as in the test of Kendall's tau on many ties:
    /// ```python
    /// x = [12.5, 3.0, 3.0, 7.25, 1.0, 9.0, 9.0, 4.5]
    /// y = [10.0, 2.0, 5.0, 5.0, 2.0, 9.5, 8.0, 2.0]
    /// scipy.stats.spearmanr(x, y).statistic   # 0.8759284757666266
    /// scipy.stats.spearmanr(a, b).statistic   # 0.5422786648087645
    /// ```
    #[test]
    fn equals_scipy() {
        let x = [12.5, 3.0, 3.0, 7.25, 1.0, 9.0, 9.0, 4.5];
        let y = [10.0, 2.0, 5.0, 5.0, 2.0, 9.5, 8.0, 2.0];
        assert!((spearman(&x, &y).unwrap() - 0.8759284757666266).abs() < 1e-14);
        let (a, b) = lcg_pair();
        assert!((spearman(&a, &b).unwrap() - 0.5422786648087645).abs() < 1e-13);
    }

    #[test]
    fn refuses_what_has_no_correlation() {
        assert_eq!(spearman(&[1.0], &[1.0]), Err(MetricError::TooFew { needed: 2, found: 1 }));
        assert_eq!(spearman(&[1.0, 2.0], &[3.0, 3.0]), Err(MetricError::Constant { n: 2 }));
        assert!(spearman(&[1.0, f64::NAN], &[3.0, 4.0]).is_err());
    }

    proptest! {
        #[test]
        fn is_symmetric_bounded_and_blind_to_monotone_maps(
            items in prop::collection::vec((-50i8..50, -50i8..50), 2..60),
        ) {
            let (x, y): (Vec<f64>, Vec<f64>) = items.iter().map(|&(x, y)| (f64::from(x), f64::from(y))).unzip();
            let cubed: Vec<f64> = x.iter().map(|v| v.powi(3)).collect();
            prop_assert_eq!(spearman(&x, &y), spearman(&cubed, &y));
            if let Ok(rho) = spearman(&x, &y) {
                prop_assert!((-1.0..=1.0).contains(&rho));
                prop_assert!((rho - spearman(&y, &x).unwrap()).abs() < 1e-12);
            }
        }
    }
}
