//! The figures that strategies are compared by.

use crate::archive::ArchivedRun;

/// Which values are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Large ones.
    Higher,
    /// Small ones.
    Lower,
    /// It is a cost or a size, not a quality.
    Neither,
}

/// A number of a run.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// Its name in files.
    pub key: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// `%`, `points` or nothing.
    pub unit: &'static str,
    /// Which values are good.
    pub better: Better,
    /// Decimals for people.
    pub decimals: usize,
    /// Its value in a run, where it applies.
    pub of: fn(&ArchivedRun) -> Option<f64>,
}

impl Figure {
    /// The title with the unit.
    pub fn heading(&self) -> String {
        match self.unit {
            "" => self.title.to_owned(),
            unit => format!("{} ({unit})", self.title),
        }
    }
}

/// All figures, costs last.
pub fn all() -> impl Iterator<Item = &'static Figure> {
    FIGURES.iter().chain(COSTS)
}

macro_rules! figures {
    ($($key:literal, $title:literal, $unit:literal, $better:ident, $decimals:literal, $of:expr;)*) => {
        &[$(Figure {
            key: $key, title: $title, unit: $unit, better: Better::$better, decimals: $decimals, of: $of,
        }),*]
    };
}

/// The figures that equal runs repeat bit by bit.
pub const FIGURES: &[Figure] = figures![
    "probe_accuracy", "probe accuracy", "%", Higher, 2, |r| r.result.probes.as_ref()?.mean_accuracy;
    "disturbance", "disturbance", "points", Lower, 2, |r| Some(r.result.probes.as_ref()?.disturbance.as_ref()?.mean);
    "disturbance_second_half", "disturbance, second half", "points", Lower, 2,
        |r| r.result.probes.as_ref()?.disturbance.as_ref()?.second_half;
    "rank_stability", "rank stability (KTau)", "", Higher, 3,
        |r| Some(r.result.probes.as_ref()?.kendall_tau.as_ref()?.mean);
    "truth_tau", "GT-tau", "", Higher, 3, |r| r.result.truth.as_ref()?.tau;
    "predicted_truth", "true accuracy of the predicted best", "%", Higher, 2, predicted_truth;
    "immediate_abs_loss", "single-step disturbance of the loss", "", Lower, 4,
        |r| Some(r.result.probes.as_ref()?.immediate.as_ref()?.abs_loss);
    "immediate_accuracy", "single-step change of accuracy", "points", Neither, 2,
        |r| Some(r.result.probes.as_ref()?.immediate.as_ref()?.accuracy);
    "forgetting", "change from own update to end of epoch", "points", Neither, 2,
        |r| Some(r.result.probes.as_ref()?.forgetting.as_ref()?.accuracy);
    "truth_tau_top50", "GT-tau among the best 50%", "", Higher, 3, |r| r.result.truth.as_ref()?.tau_top50;
    "truth_tau_top10", "GT-tau among the best 10%", "", Higher, 3, |r| r.result.truth.as_ref()?.tau_top10;
    "truth_spearman", "Spearman correlation with the truth", "", Higher, 3, |r| r.result.truth.as_ref()?.spearman;
    "precision_at_5", "precision at 5%", "", Higher, 3, |r| r.result.truth.as_ref()?.p_at_5;
    "regret", "regret of the predicted best", "points", Lower, 2, |r| r.result.truth.as_ref()?.regret;
    "found_truth", "true accuracy of what was found", "%", Higher, 2, |r| r.result.best.as_ref()?.truth;
    "found_accuracy", "shared-weight accuracy of what was found", "%", Neither, 2,
        |r| Some(r.result.best.as_ref()?.valid_accuracy);
    "train_loss", "training loss", "", Neither, 3, |r| r.result.train_loss;
    "fairness_min", "fewest updates of a choice", "", Neither, 0, |r| Some(r.result.fairness.as_ref()?.min as f64);
    "fairness_max", "most updates of a choice", "", Neither, 0, |r| Some(r.result.fairness.as_ref()?.max as f64);
    "updates", "updates", "", Neither, 0, |r| Some(r.result.steps as f64);
    "subnet_passes", "sub-net passes", "", Neither, 0, |r| Some(r.result.subnet_passes as f64);
    "images", "images", "", Neither, 0, |r| Some(r.result.images as f64);
];

/// True accuracy of the compared architecture that is best with shared weights; of equally good ones the worst.
fn predicted_truth(run: &ArchivedRun) -> Option<f64> {
    let compared = run.compared().map(|(row, truth)| (row.accuracy, truth));
    let better = |best: &(f64, f64), next: &(f64, f64)| next.0 > best.0 || next.0 == best.0 && next.1 < best.1;
    compared.reduce(|best, next| if better(&best, &next) { next } else { best }).map(|(_, truth)| truth)
}

/// The figures that differ between equal runs.
pub const COSTS: &[Figure] = figures![
    "train_s", "training time", "s", Neither, 1, |r| Some(r.result.train_s);
    "wall_s", "whole time", "s", Neither, 1, |r| Some(r.result.wall_s);
    "images_per_s", "images per second", "", Neither, 0, |r| r.result.images_per_s;
    "peak_rss_mb", "peak memory", "MiB", Neither, 0, |r| r.result.peak_rss_mb;
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn keys_are_unique() {
        let keys: BTreeSet<&str> = all().map(|figure| figure.key).collect();
        assert_eq!(keys.len(), FIGURES.len() + COSTS.len());
    }
}
