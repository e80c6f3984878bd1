//! The metrics over a run, in the order of the document.

use super::Metric;

const fn metric(split: &'static str, key: &'static str, unit: &'static str, definition: &'static str) -> Metric {
    Metric { split, key, unit, definition }
}

/// All metrics of the program's own parts. Strategies of plugins add their own to the split `strategy`.
pub static METRICS: &[Metric] = &[
    metric("train", "loss", "nats", "Training loss of a step, mean over its architectures; one row per step."),
    metric("train", "mean_loss", "nats", "Mean of `loss` over the epoch."),
    metric("train", "lr", "", "Learning rate of the last step of the epoch."),
    metric("train", "gradient_norm", "", "2-norm of a step's gradients before clipping, mean over the epoch."),
    metric("train", "fairness_min", "", "Smallest number of sub-net passes that contained a choice so far."),
    metric("train", "fairness_max", "", "Largest number of sub-net passes that contained a choice so far."),
    metric(
        "eval",
        "accuracy",
        "%",
        "Top-1 accuracy of a stand-alone network after an epoch, on the images of `evaluated_on`.",
    ),
    metric("eval", "top5_accuracy", "%", "Top-5 accuracy of a stand-alone network after an epoch."),
    metric("eval", "loss", "nats", "Mean cross-entropy of a stand-alone network after an epoch."),
    metric("probe", "mean_accuracy", "%", "Mean shared-weight accuracy of the probe architectures."),
    metric(
        "probe",
        "disturbance_K",
        "points",
        "Mean absolute change of the probes' accuracies between now and K epochs ago.",
    ),
    metric("probe", "rank_stability_K", "", "Kendall tau-b between the probes' accuracies now and K epochs ago."),
    metric("probe", "single_step_disturbance_loss", "nats", "Mean change of loss across a step, over the run so far."),
    metric(
        "probe",
        "single_step_disturbance_abs_loss",
        "nats",
        "Mean absolute change of loss across a step, over the run so far.",
    ),
    metric(
        "probe",
        "single_step_disturbance_accuracy",
        "points",
        "Mean change of accuracy across a step, over the run so far.",
    ),
    metric("probe", "forgetting", "points", "Mean change from own update to end of epoch, over the run so far."),
    metric("controller", "reward", "", "Mean reward of the epoch: shared-weight accuracy between 0 and 1."),
    metric("controller", "reward_baseline", "", "`reinforce`: moving average of reward plus entropy bonus."),
    metric(
        "controller",
        "advantage",
        "",
        "`reinforce`: mean of reward plus entropy bonus minus the baseline, in the last epoch.",
    ),
    metric("controller", "entropy", "nats", "`reinforce`: mean entropy of the policy in the last epoch."),
    metric("controller", "log_prob", "nats", "`reinforce`: mean log-probability of the samples of the last epoch."),
    metric("controller", "population_best", "", "`evolution`: highest reward in the population."),
    metric("controller", "population_mean", "", "`evolution`: mean reward of the population."),
    metric("strategy", "alpha", "", "`ogd`: alpha of the last step."),
    metric("strategy", "trace_ratio", "", "`ogd`: mean of trace(P) / d over all updated layers; 1 free, 0 frozen."),
    metric("strategy", "trace_ratio.GROUP", "", "`ogd`: the same over the layers of one group."),
    metric(
        "strategy",
        "update_norm_ratio",
        "",
        "`ogd`: norm of the projected update divided by that of the unprojected one, mean over steps.",
    ),
    metric(
        "strategy",
        "alpha_increases",
        "",
        "`ogd`: number of projectors whose alpha was raised for numerical stability so far.",
    ),
];
