//! Baselines: predictors that need no shared weights, and search without a prediction.

use super::{Estimate, VariantRuns, gt_tau};
use crate::archive::ArchivedRun;
use nas_core::figures::Figure;
use nas_core::metrics::Summary;

/// The figure in which baselines are compared with the variants' predicted best architecture.
const PREDICTED: &str = "predicted_best_truth";

/// The baselines on the architectures that the reference variant's runs were compared on.
///
/// For GT-tau, the number of parameters and the multiply-adds predict the accuracy. For the true accuracy of the
/// predicted best, the baselines are the largest architecture, a random one, the best of ten random ones, and the best
/// of the sample.
pub fn estimates(reference: &VariantRuns) -> Vec<Estimate> {
    let mut estimates = Vec::new();
    let mut add = |label: &str, key: &str, of: &dyn Fn(&ArchivedRun) -> Option<f64>| {
        let values: Vec<f64> = reference.runs.iter().filter_map(of).collect();
        if let (Some(figure), Ok(summary)) = (Figure::find(key), Summary::of(&values)) {
            estimates.push(Estimate { label: label.into(), figure, summary, interval: None, difference: None });
        }
    };
    add("(parameters)", gt_tau::KEY, &|run| run.result.truth.as_ref()?.baselines.params);
    add("(multiply-adds)", gt_tau::KEY, &|run| run.result.truth.as_ref()?.baselines.macs);
    add("(parameters)", PREDICTED, &truth_of_largest);
    add("(a random architecture)", PREDICTED, &|run| expected_best(&truths(run), 1));
    add("(random search of 10)", PREDICTED, &|run| expected_best(&truths(run), 10));
    add("(best of the sample)", PREDICTED, &|run| truths(run).into_iter().reduce(f64::max));
    estimates
}

/// The true accuracies in percent of the architectures that a run was compared on.
fn truths(run: &ArchivedRun) -> Vec<f64> {
    run.compared().map(|(_, truth)| truth).collect()
}

/// The true accuracy of the architecture with the most parameters; the mean if there are several.
fn truth_of_largest(run: &ArchivedRun) -> Option<f64> {
    let most = run.compared().filter_map(|(row, _)| row.params).max()?;
    let largest = run.compared().filter(|(row, _)| row.params == Some(most));
    let truths: Vec<f64> = largest.map(|(_, truth)| truth).collect();
    Some(Summary::of(&truths).ok()?.mean)
}

/// The expected largest of `draws` values drawn with replacement. With ascending values it is
/// `sum of x_i ((i / n)^draws - ((i - 1) / n)^draws)`.
fn expected_best(values: &[f64], draws: i32) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let weight = |i: usize| ((i + 1) as f64 / n).powi(draws) - (i as f64 / n).powi(draws);
    (!sorted.is_empty()).then(|| sorted.iter().enumerate().map(|(i, x)| x * weight(i)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_best_lies_between_mean_and_maximum() {
        let values = [3.0, 1.0, 2.0];
        assert!((expected_best(&values, 1).unwrap() - 2.0).abs() < 1e-12);
        // The largest of two draws from {1, 2, 3} is 1, 2 or 3 in 1, 3 or 5 of 9 cases.
        assert!((expected_best(&values, 2).unwrap() - (1.0 + 6.0 + 15.0) / 9.0).abs() < 1e-12);
        assert_eq!(expected_best(&[], 3), None);
    }
}
