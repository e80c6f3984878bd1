//! Means of figures over seeds, with their intervals.

use super::difference::FigureDifference;
use super::{VariantRuns, gt_tau};
use nas_core::figures::{FIGURES, Figure};
use nas_core::metrics::{ConfidenceInterval, DEFAULT_RESAMPLES, Summary, percentile_interval};
use nas_core::streams::Streams;
use rand_chacha::ChaCha8Rng;

/// One figure of one variant or baseline, estimated over seeds.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// The variant, or a baseline in parentheses.
    pub label: String,
    /// The figure that is estimated.
    pub figure: &'static Figure,
    /// Number of seeds, mean and standard deviation.
    pub summary: Summary,
    /// 95% bootstrap interval of the mean: over seeds, for GT-tau over seeds and architectures.
    pub interval: Option<ConfidenceInterval>,
    /// The difference to the reference variant; none for the reference itself and for baselines.
    pub difference: Option<FigureDifference>,
}

/// All figures of all variants, costs included.
pub fn estimates(variants: &[VariantRuns]) -> Vec<Estimate> {
    let mut estimates = Vec::new();
    for variant in variants {
        for figure in FIGURES {
            estimates.extend(estimate(variant, &variants[0], figure));
        }
    }
    estimates
}

fn estimate(variant: &VariantRuns, reference: &VariantRuns, figure: &'static Figure) -> Option<Estimate> {
    let values: Vec<f64> = variant.runs.iter().filter_map(|run| (figure.value)(&run.result)).collect();
    let summary = Summary::of(&values).ok()?;
    let mean = |drawn: &[usize]| Some(drawn.iter().map(|&i| values[i]).sum::<f64>() / drawn.len() as f64);
    let interval = match figure.key {
        gt_tau::KEY => gt_tau::interval(summary.mean, variant),
        _ => percentile_interval(summary.mean, values.len(), DEFAULT_RESAMPLES, &mut rng(figure), mean),
    };
    let is_reference = std::ptr::eq(variant, reference);
    let difference = if is_reference { None } else { FigureDifference::of(variant, reference, figure) };
    Some(Estimate { label: variant.label.clone(), figure, summary, interval, difference })
}

/// Random numbers for the bootstrap of a figure. They depend on the figure alone, so an interval does not change when
/// variants or figures are added to a comparison.
pub fn rng(figure: &Figure) -> ChaCha8Rng {
    Streams::new(0).rng(&format!("comparison/{}", figure.stream), 0)
}
