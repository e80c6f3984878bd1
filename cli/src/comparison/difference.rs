//! Paired differences to the reference variant, and the verdict on each.

use super::seeds::{SIGNIFICANCE_LEVEL, shared_seeds};
use super::{VariantRuns, estimate, gt_tau};
use nas_core::figures::{Direction, Figure};
use nas_core::metrics::{ConfidenceInterval, DEFAULT_RESAMPLES, paired_difference};
use serde::Serialize;

/// The conclusion that a difference allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The variant is better than the reference.
    Better,
    /// The variant is worse than the reference.
    Worse,
    /// The variant differs in a figure that is neither good nor bad, such as a size.
    Different,
    /// The interval contains zero, or the p-value is above [`SIGNIFICANCE_LEVEL`].
    Open,
}

impl Verdict {
    /// The verdict as files and tables write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Different => "different",
            Self::Open => "open",
        }
    }

    /// A percentile interval over few seeds is too narrow, so the sign-flip test must agree with it.
    fn of(p: f64, interval: Option<ConfidenceInterval>, direction: Direction) -> Self {
        let excludes_zero = |interval: &ConfidenceInterval| interval.lo > 0.0 || interval.hi < 0.0;
        let Some(interval) = interval.filter(|interval| p <= SIGNIFICANCE_LEVEL && excludes_zero(interval)) else {
            return Self::Open;
        };
        match direction {
            Direction::Neither => Self::Different,
            Direction::Higher if interval.lo > 0.0 => Self::Better,
            Direction::Lower if interval.hi < 0.0 => Self::Better,
            _ => Self::Worse,
        }
    }
}

/// The difference of a figure between a variant and the reference, over the seeds that both have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FigureDifference {
    /// Number of seeds that both have.
    pub n: usize,
    /// Mean difference, variant minus reference, in the unit of the figure.
    pub mean: f64,
    /// Sample standard deviation of the differences; none for one seed.
    pub std: Option<f64>,
    /// Lower end of the 95% bootstrap interval of the mean.
    pub lo: Option<f64>,
    /// Upper end of the 95% bootstrap interval of the mean.
    pub hi: Option<f64>,
    /// P-value of the sign-flip test over seeds.
    pub p: f64,
    /// The conclusion from interval and p-value.
    pub verdict: Verdict,
}

impl FigureDifference {
    /// The difference between a variant and the reference; none if they have no seed in common.
    pub fn of(variant: &VariantRuns, reference: &VariantRuns, figure: &Figure) -> Option<Self> {
        let pairs = shared_seeds(variant, reference);
        let values = pairs.iter().filter_map(|(a, b)| Some(((figure.value)(&a.result)?, (figure.value)(&b.result)?)));
        let (a, b): (Vec<f64>, Vec<f64>) = values.unzip();
        let paired = paired_difference(&a, &b, DEFAULT_RESAMPLES, &mut estimate::rng(figure)).ok()?;
        let interval = match figure.key {
            gt_tau::KEY => gt_tau::difference_interval(paired.mean, &pairs),
            _ => paired.interval,
        };
        let verdict = Verdict::of(paired.p, interval, figure.direction);
        let (lo, hi) = (interval.map(|interval| interval.lo), interval.map(|interval| interval.hi));
        Some(Self { n: paired.n, mean: paired.mean, std: paired.std, lo, hi, p: paired.p, verdict })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_seeds_and_intervals_that_contain_zero_leave_a_difference_open() {
        let interval = |lo, hi| Some(ConfidenceInterval { lo, hi });
        assert_eq!(Verdict::of(0.06, interval(0.5, 1.5), Direction::Higher), Verdict::Open);
        assert_eq!(Verdict::of(0.03, interval(-0.5, 1.5), Direction::Higher), Verdict::Open);
        assert_eq!(Verdict::of(0.03, None, Direction::Higher), Verdict::Open);
        assert_eq!(Verdict::of(0.03, interval(0.5, 1.5), Direction::Higher), Verdict::Better);
        assert_eq!(Verdict::of(0.03, interval(0.5, 1.5), Direction::Lower), Verdict::Worse);
        assert_eq!(Verdict::of(0.03, interval(-1.5, -0.5), Direction::Lower), Verdict::Better);
        assert_eq!(Verdict::of(0.03, interval(0.5, 1.5), Direction::Neither), Verdict::Different);
    }

    #[test]
    fn json_and_csv_write_the_same_verdict() {
        for verdict in [Verdict::Better, Verdict::Worse, Verdict::Different, Verdict::Open] {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.name());
        }
    }
}
