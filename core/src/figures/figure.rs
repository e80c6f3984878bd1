//! The figures of a finished run, in the order of tables and files.

use super::Direction::{Higher, Lower, Neither};
use super::{Direction, Figure};
use crate::result::{Disturbance, Probes, RunResult, SingleStepDisturbance, Truth};

type Value = fn(&RunResult) -> Option<f64>;

/// A quality, size or signed change that equal runs repeat bit by bit.
const fn figure(
    key: &'static str,
    title: &'static str,
    (unit, direction, decimals): (&'static str, Direction, usize),
    path: &'static str,
    value: Value,
    definition: &'static str,
) -> Figure {
    Figure { key, title, unit, direction, decimals, definition, path, value, is_cost: false, stream: key }
}

/// A cost of time or memory; its key is also its path.
const fn cost(
    key: &'static str,
    title: &'static str,
    (unit, decimals): (&'static str, usize),
    value: Value,
    definition: &'static str,
) -> Figure {
    Figure { is_cost: true, ..figure(key, title, (unit, Neither, decimals), key, value, definition) }
}

impl Figure {
    /// Keeps the random stream that the figure had under its key of schema 1.
    const fn stream(self, stream: &'static str) -> Self {
        Self { stream, ..self }
    }
}

fn probes(result: &RunResult) -> Option<&Probes> {
    result.probes.as_ref()
}

fn disturbance(result: &RunResult) -> Option<&Disturbance> {
    probes(result)?.disturbance.as_ref()
}

fn single_step(result: &RunResult) -> Option<&SingleStepDisturbance> {
    probes(result)?.single_step_disturbance.as_ref()
}

fn truth(result: &RunResult) -> Option<&Truth> {
    result.truth.as_ref()
}

/// All figures of a finished run; costs are last.
pub static FIGURES: &[Figure] = &[
    figure(
        "probe_accuracy",
        "probe accuracy",
        ("%", Higher, 2),
        "probes.mean_accuracy",
        |r| probes(r)?.mean_accuracy,
        "Mean shared-weight accuracy of the probe architectures after the last epoch.",
    ),
    figure(
        "disturbance",
        "disturbance",
        ("points", Lower, 2),
        "probes.disturbance.mean",
        |r| Some(disturbance(r)?.mean),
        "Performance disturbance: mean absolute change of a probe's accuracy over the interval, in the whole run.",
    ),
    figure(
        "disturbance_second_half",
        "disturbance, second half",
        ("points", Lower, 2),
        "probes.disturbance.second_half",
        |r| disturbance(r)?.second_half,
        "Performance disturbance between epochs of the second half of the run.",
    ),
    figure(
        "rank_stability",
        "rank stability",
        ("", Higher, 3),
        "probes.rank_stability.mean",
        |r| Some(probes(r)?.rank_stability.as_ref()?.mean),
        "Mean Kendall tau-b between the probes' accuracies an interval apart.",
    ),
    figure(
        "gt_tau",
        "GT-tau",
        ("", Higher, 3),
        "truth.gt_tau",
        |r| truth(r)?.gt_tau,
        "Kendall tau-b between shared-weight and true accuracy over the compared architectures.",
    )
    .stream("truth_tau"),
    figure(
        "predicted_best_truth",
        "true accuracy of the predicted best",
        ("%", Higher, 2),
        "truth.predicted_best",
        |r| truth(r)?.predicted_best,
        "True accuracy of the compared architecture with the highest shared-weight accuracy; of equal ones the worst.",
    )
    .stream("predicted_truth"),
    figure(
        "single_step_disturbance",
        "single-step disturbance",
        ("nats", Lower, 4),
        "probes.single_step_disturbance.abs_loss",
        |r| Some(single_step(r)?.abs_loss),
        "Mean absolute change of the previous architecture's loss across one step on other architectures.",
    )
    .stream("immediate_abs_loss"),
    figure(
        "single_step_accuracy_change",
        "single-step accuracy change",
        ("points", Neither, 2),
        "probes.single_step_disturbance.accuracy",
        |r| Some(single_step(r)?.accuracy),
        "Mean signed change of the previous architecture's accuracy across one step on other architectures.",
    )
    .stream("immediate_accuracy"),
    figure(
        "forgetting",
        "change from own update to end of epoch",
        ("points", Neither, 2),
        "probes.forgetting.accuracy",
        |r| Some(probes(r)?.forgetting.as_ref()?.accuracy),
        "Mean accuracy of an architecture at the end of an epoch minus its accuracy right after its own update.",
    ),
    figure(
        "gt_tau_top50",
        "GT-tau among the best 50%",
        ("", Higher, 3),
        "truth.gt_tau_top50",
        |r| truth(r)?.gt_tau_top50,
        "GT-tau among the truly best 50% of the compared architectures, if those are at least ten.",
    )
    .stream("truth_tau_top50"),
    figure(
        "gt_tau_top10",
        "GT-tau among the best 10%",
        ("", Higher, 3),
        "truth.gt_tau_top10",
        |r| truth(r)?.gt_tau_top10,
        "GT-tau among the truly best 10% of the compared architectures, if those are at least ten.",
    )
    .stream("truth_tau_top10"),
    figure(
        "spearman",
        "Spearman correlation",
        ("", Higher, 3),
        "truth.spearman",
        |r| truth(r)?.spearman,
        "Spearman rank correlation between shared-weight and true accuracy over the compared architectures.",
    )
    .stream("truth_spearman"),
    figure(
        "precision_at_5",
        "precision at 5%",
        ("", Higher, 3),
        "truth.precision_at_5",
        |r| truth(r)?.precision_at_5,
        "Fraction of the predicted best 5% (rounded up) that belongs to the truly best 5%.",
    ),
    figure(
        "regret",
        "regret of the predicted best",
        ("points", Lower, 2),
        "truth.regret",
        |r| truth(r)?.regret,
        "Highest accuracy of the whole truth table minus that of the predicted best.",
    ),
    figure(
        "selected_truth",
        "true accuracy of the selected architecture",
        ("%", Higher, 2),
        "selected.truth",
        |r| r.selected.as_ref()?.truth,
        "Accuracy of the selected architecture by the truth table.",
    )
    .stream("found_truth"),
    figure(
        "selected_accuracy",
        "shared-weight accuracy of the selected architecture",
        ("%", Neither, 2),
        "selected.valid_accuracy",
        |r| Some(r.selected.as_ref()?.valid_accuracy),
        "Validation accuracy of the selected architecture with shared weights.",
    )
    .stream("found_accuracy"),
    figure(
        "train_loss",
        "training loss",
        ("nats", Neither, 3),
        "train_loss",
        |r| r.train_loss,
        "Mean training loss of the last complete epoch.",
    ),
    figure(
        "fairness_min",
        "fewest sub-net passes of a choice",
        ("", Neither, 0),
        "fairness.min",
        |r| Some(r.fairness.as_ref()?.min as f64),
        "Smallest number of sub-net passes that contained a choice, over all choices of operations.",
    ),
    figure(
        "fairness_max",
        "most sub-net passes of a choice",
        ("", Neither, 0),
        "fairness.max",
        |r| Some(r.fairness.as_ref()?.max as f64),
        "Largest number of sub-net passes that contained a choice, over all choices of operations.",
    ),
    figure("steps", "steps", ("", Neither, 0), "steps", |r| Some(r.steps as f64), "Number of optimizer updates.")
        .stream("updates"),
    figure(
        "subnet_passes",
        "sub-net passes",
        ("", Neither, 0),
        "subnet_passes",
        |r| Some(r.subnet_passes as f64),
        "Number of forward and backward passes of one architecture on one batch.",
    ),
    figure(
        "images",
        "images",
        ("", Neither, 0),
        "images",
        |r| Some(r.images as f64),
        "Number of training images in all sub-net passes; an image counts once for each pass.",
    ),
    cost("train_s", "training time", ("s", 1), |r| Some(r.train_s), "Duration of training the shared weights."),
    cost("wall_s", "total time", ("s", 1), |r| Some(r.wall_s), "Duration of the whole run."),
    cost(
        "images_per_s",
        "training speed",
        ("images/s", 0),
        |r| r.images_per_s,
        "Training images in all sub-net passes, divided by the training time.",
    ),
    cost(
        "peak_rss_mb",
        "peak memory",
        ("MiB", 0),
        |r| r.peak_rss_mb,
        "Largest resident memory of the process (Linux).",
    ),
];
