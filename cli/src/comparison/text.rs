//! Estimates and differences as the cells of tables.
//!
//! Spaces inside of a value, an interval or a number of seeds are non-breaking, so that a cell wraps between them only.

use super::{Estimate, FigureDifference, gt_tau};
use nas_core::figures::Direction;

/// `12.34 ± 0.56`: mean and standard deviation over seeds. GT-tau has its interval in addition.
pub fn value_text(estimate: &Estimate) -> String {
    let decimals = estimate.figure.decimals;
    let std = estimate.summary.std.filter(|std| *std > 0.0);
    let std = std.map(|std| format!("\u{a0}±\u{a0}{std:.decimals$}")).unwrap_or_default();
    let interval = estimate.interval.filter(|_| estimate.figure.key == gt_tau::KEY);
    let interval = interval.map(|i| format!(" [{:.2},\u{a0}{:.2}]", i.lo, i.hi)).unwrap_or_default();
    format!("{:.decimals$}{std}{interval}", estimate.summary.mean)
}

/// `+1.23 [+0.45, +2.01] better (n = 6)`: mean difference, interval, verdict and number of seeds.
pub fn difference_text(difference: &FigureDifference, decimals: usize) -> String {
    let FigureDifference { n, mean, lo, hi, verdict, .. } = difference;
    let interval =
        lo.zip(*hi).map(|(lo, hi)| format!(" [{lo:+.decimals$},\u{a0}{hi:+.decimals$}]")).unwrap_or_default();
    format!("{mean:+.decimals$}{interval} {} (n\u{a0}=\u{a0}{n})", verdict.name())
}

/// Whether no variant has a better mean of this figure. False for baselines and where there is one variant only.
pub fn is_best(estimate: &Estimate, variants: &[Estimate]) -> bool {
    let others = || variants.iter().filter(|other| other.figure.key == estimate.figure.key);
    let mean = estimate.summary.mean;
    // Means of equal values in another order differ by rounding.
    let tie = 1e-12 * mean.abs();
    others().count() > 1
        && others().any(|other| other.label == estimate.label)
        && match estimate.figure.direction {
            Direction::Higher => others().all(|other| other.summary.mean <= mean + tie),
            Direction::Lower => others().all(|other| other.summary.mean >= mean - tie),
            Direction::Neither => false,
        }
}
