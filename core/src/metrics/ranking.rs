//! Quality of a predicted ranking of architectures, measured by their stand-alone accuracies.
//!
//! Definitions over n architectures, with k a share in percent and `K = ceil(k n / 100)`, at least 1 (Ning et al.,
//! Evaluating Efficient Performance Estimators of Neural Architectures, NeurIPS 2021):
//! - predicted top-k%: the K architectures with the highest predicted scores;
//! - true top-k%: the architectures whose accuracy is at least the K-th best, so more than K if the K-th is tied;
//! - P@k: the fraction of the predicted top-k% that belongs to the true top-k%;
//! - tau of the top 10% and 50%: tau-b within the true top-10% and top-50%. A search needs this part of the ranking,
//!   while tau over a whole space mostly measures how well bad architectures are distinguished from mediocre ones.
//!
//! Ties in the predictions are broken against the predictor: among equal scores, the lowest accuracy comes first. A
//! constant predictor therefore gains nothing, and the order of the input has no influence. That order correlates with
//! accuracy in an enumerated space.

use rand::Rng;

use super::bootstrap::DEFAULT_RESAMPLES;
use super::error::{MetricError, finite, same_length};
use super::kendall::kendall_tau;
use super::spearman::spearman;
use super::tau::{TauEstimate, tau_with_interval};

/// Default k of P@k, in percent, as in Ning et al. 2021.
pub const DEFAULT_TOP_PERCENT: f64 = 5.0;

/// Options of [`rank_quality`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankingOptions {
    /// k of P@k, in percent, with `0 < k <= 100`.
    pub top_percent: f64,
    /// Number of bootstrap resamples for the interval of tau; 0 for no interval.
    pub resamples: usize,
    /// Accuracy of the best architecture of the whole space, in percent, if it is known.
    pub space_best: Option<f64>,
}

impl Default for RankingOptions {
    fn default() -> Self {
        Self { top_percent: DEFAULT_TOP_PERCENT, resamples: DEFAULT_RESAMPLES, space_best: None }
    }
}

/// Kendall's tau-b within a subset of the architectures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SubsetTau {
    /// Kendall's tau-b; `None` where it is undefined.
    pub tau: Option<f64>,
    /// Number of architectures in the subset.
    pub n: usize,
}

/// Result of [`rank_quality`]. Correlations are `None` where they are undefined, for example for constant predictions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankingReport {
    /// Kendall's tau-b over all architectures, with its interval.
    pub tau: Option<TauEstimate>,
    /// Spearman's rho over all architectures.
    pub spearman: Option<f64>,
    /// Tau within the true top 10%.
    pub tau_top10: SubsetTau,
    /// Tau within the true top 50%.
    pub tau_top50: SubsetTau,
    /// P@k, between 0 and 1.
    pub precision_at_k: f64,
    /// Accuracy of the architecture with the highest predicted score, in percent.
    pub predicted_best: f64,
    /// Accuracy of the best architecture of the space minus `predicted_best`, in percentage points; `None` if the
    /// former is not known.
    pub regret: Option<f64>,
}

/// Measures how well `predicted` (scores in any unit, higher is better) ranks architectures with the accuracies `truth`
/// (in percent).
///
/// # Errors
/// Unequal lengths, no architecture, values that are not finite, or k outside `0 < k <= 100`.
pub fn rank_quality<R: Rng + ?Sized>(
    predicted: &[f64],
    truth: &[f64],
    options: &RankingOptions,
    rng: &mut R,
) -> Result<RankingReport, MetricError> {
    same_length("architecture", truth.len(), predicted.len())?;
    finite(predicted)?;
    finite(truth)?;
    let k = options.top_percent;
    if !(k > 0.0 && k <= 100.0) {
        return Err(MetricError::Percent { found: k.to_string() });
    }
    let n = truth.len();
    let by_prediction = order_by_prediction(predicted, truth);
    let mut descending = truth.to_vec();
    descending.sort_unstable_by(|a, b| b.total_cmp(a));
    let Some(&best_index) = by_prediction.first() else {
        return Err(MetricError::TooFew { needed: 1, found: 0 });
    };

    let predicted_top = &by_prediction[..top_count(n, k)];
    let threshold = descending[predicted_top.len() - 1];
    let hits = predicted_top.iter().filter(|&&i| truth[i] >= threshold).count();

    let predicted_best = truth[best_index];
    Ok(RankingReport {
        tau: tau_with_interval(predicted, truth, options.resamples, rng).ok(),
        spearman: spearman(predicted, truth).ok(),
        tau_top10: tau_at_least(descending[top_count(n, 10.0) - 1], predicted, truth),
        tau_top50: tau_at_least(descending[top_count(n, 50.0) - 1], predicted, truth),
        precision_at_k: hits as f64 / predicted_top.len() as f64,
        predicted_best,
        regret: options.space_best.map(|best| best - predicted_best),
    })
}

/// `ceil(percent n / 100)`, between 1 and `n`. The small subtraction compensates for rounding: 7% of 100 must give 7.
fn top_count(n: usize, percent: f64) -> usize {
    ((percent * n as f64 / 100.0 - 1e-9).ceil() as usize).clamp(1, n.max(1))
}

/// Indices from the highest to the lowest prediction; ties are ordered by ascending accuracy, then by index.
fn order_by_prediction(predicted: &[f64], truth: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..truth.len()).collect();
    // Adding 0.0 turns -0.0 into 0.0; `total_cmp` would order -0.0 before 0.0.
    order.sort_by(|&a, &b| {
        (predicted[b] + 0.0).total_cmp(&(predicted[a] + 0.0)).then((truth[a] + 0.0).total_cmp(&(truth[b] + 0.0)))
    });
    order
}

/// Tau within the architectures whose accuracy is at least `threshold`.
fn tau_at_least(threshold: f64, predicted: &[f64], truth: &[f64]) -> SubsetTau {
    let (predicted, truth): (Vec<f64>, Vec<f64>) =
        predicted.iter().zip(truth).filter(|&(_, &accuracy)| accuracy >= threshold).unzip();
    SubsetTau { tau: kendall_tau(&predicted, &truth).ok(), n: truth.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn quality(predicted: &[f64], truth: &[f64], top_percent: f64) -> RankingReport {
        let options = RankingOptions { top_percent, resamples: 20, space_best: Some(95.0) };
        rank_quality(predicted, truth, &options, &mut ChaCha8Rng::seed_from_u64(0)).unwrap()
    }

    #[test]
    fn a_perfect_ranking_finds_the_best() {
        let truth: Vec<f64> = (0..40).map(|i| 50.0 + f64::from(i)).collect();
        let predicted: Vec<f64> = truth.iter().map(|t| t / 100.0).collect();
        let report = quality(&predicted, &truth, 5.0);
        assert_eq!((report.precision_at_k, report.predicted_best), (1.0, 89.0));
        assert_eq!(report.regret, Some(6.0));
        assert_eq!(report.spearman, Some(1.0));
        assert_eq!(report.tau_top10, SubsetTau { tau: Some(1.0), n: 4 });
        assert_eq!(report.tau_top50, SubsetTau { tau: Some(1.0), n: 20 });
        let tau = report.tau.unwrap();
        assert_eq!((tau.tau, tau.n, tau.interval.unwrap().lo), (1.0, 40, 1.0));
    }

    /// Ten architectures, k = 30%: the predicted top 3 have accuracies 70, 80, 50, the true top 3 have 90, 80, 75, so
    /// one of three is a hit.
    #[test]
    fn top_figures_by_hand() {
        let truth = [90.0, 80.0, 75.0, 70.0, 60.0, 50.0, 40.0, 30.0, 20.0, 10.0];
        let predicted = [0.1, 0.8, 0.2, 0.9, 0.3, 0.7, 0.0, 0.05, 0.02, 0.01];
        let report = quality(&predicted, &truth, 30.0);
        assert_eq!(report.precision_at_k, 1.0 / 3.0);
        assert_eq!((report.predicted_best, report.regret), (70.0, Some(25.0)));
    }

    #[test]
    fn ties_count_against_the_predictor() {
        let report = quality(&[1.0; 4], &[10.0, 40.0, 20.0, 30.0], 25.0);
        assert_eq!((report.predicted_best, report.precision_at_k), (10.0, 0.0));
        assert_eq!((report.tau, report.spearman), (None, None));
        assert_eq!(report.tau_top10, SubsetTau { tau: None, n: 1 });
        assert_eq!(report.tau_top50, SubsetTau { tau: None, n: 2 });
        let zeros = quality(&[0.0, -0.0], &[1.0, 2.0], 50.0);
        assert_eq!(zeros.predicted_best, 1.0);
    }

    #[test]
    fn ties_at_the_threshold_are_all_in_the_true_top() {
        let report = quality(&[0.0, 3.0, 2.0, 1.0], &[50.0, 60.0, 60.0, 10.0], 25.0);
        assert_eq!((report.precision_at_k, report.predicted_best), (1.0, 60.0));
    }

    #[test]
    fn bad_input_is_an_error() {
        let run = |p: &[f64], t: &[f64], k: f64| {
            let options = RankingOptions { top_percent: k, ..RankingOptions::default() };
            rank_quality(p, t, &options, &mut ChaCha8Rng::seed_from_u64(0))
        };
        assert_eq!(run(&[], &[], 5.0), Err(MetricError::TooFew { needed: 1, found: 0 }));
        assert!(matches!(run(&[1.0], &[], 5.0), Err(MetricError::Length { .. })));
        assert!(matches!(run(&[1.0, f64::NAN], &[1.0, 2.0], 5.0), Err(MetricError::NotFinite { index: 1, .. })));
        for k in [0.0, -1.0, 100.5, f64::NAN] {
            assert!(matches!(run(&[1.0], &[1.0], k), Err(MetricError::Percent { .. })), "{k}");
        }
        assert_eq!(run(&[1.0], &[1.0], 5.0).unwrap().precision_at_k, 1.0);
    }

    #[test]
    fn counts_are_exact_for_whole_percentages() {
        assert_eq!([top_count(100, 7.0), top_count(1000, 5.0), top_count(15_625, 10.0)], [7, 50, 1563]);
        assert_eq!([top_count(3, 5.0), top_count(3, 100.0), top_count(0, 5.0)], [1, 3, 1]);
    }

    proptest! {
        #[test]
        fn figures_stay_in_range_and_do_not_depend_on_the_order(
            items in prop::collection::vec((0u8..12, 0u8..12), 1..50), k in 0.1f64..100.0, shift: usize,
        ) {
            let series = |items: &[(u8, u8)]| -> (Vec<f64>, Vec<f64>) {
                items.iter().map(|&(p, t)| (f64::from(p), f64::from(t))).unzip()
            };
            let (p, t) = series(&items);
            let report = quality(&p, &t, k);
            prop_assert!((0.0..=1.0).contains(&report.precision_at_k));
            prop_assert!(t.contains(&report.predicted_best));
            let mut rotated = items.clone();
            rotated.rotate_left(shift % items.len());
            let (p, t) = series(&rotated);
            let again = quality(&p, &t, k);
            prop_assert_eq!((report.precision_at_k, report.predicted_best), (again.precision_at_k, again.predicted_best));
            prop_assert_eq!(report.tau.map(|t| t.tau), again.tau.map(|t| t.tau));
            prop_assert_eq!((report.tau_top10, report.tau_top50), (again.tau_top10, again.tau_top50));
        }
    }
}
