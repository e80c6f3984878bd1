//! The summary of a run.

use super::{TrainingResult, correlation, percent, points, row, section};
use crate::text::{counted, duration, short};
use nas_core::result::{Probes, RunResult, Selected, Truth};
use std::path::Path;

impl TrainingResult for RunResult {
    fn interrupted(&self) -> bool {
        self.interrupted
    }

    fn summary(&self, dir: &Path) -> String {
        let mut parts = vec![title(self)];
        match &self.selected {
            Some(selected) => parts.push(section("Selected architecture", selected_rows(selected))),
            None => parts.push("No architecture was selected, because the run was stopped before the search.\n".into()),
        }
        parts.extend(self.probes.as_ref().map(|probes| section("Probe architectures", probe_rows(probes))));
        parts.extend(self.truth.as_ref().map(|truth| truth_section(truth, &self.data)));
        parts.extend(self.fairness.as_ref().map(|fairness| {
            let range = format!("{} to {}, mean {:.1}", fairness.min, fairness.max, fairness.mean);
            section("Fairness", vec![row("sub-net passes per choice", range)])
        }));
        parts.push(section("Cost", cost_rows(self)));
        parts.push(format!("All files are in {}\n", dir.display()));
        parts.join("\n")
    }
}

fn title(result: &RunResult) -> String {
    let RunResult { strategy, controller, space, data, seed, epochs, .. } = result;
    let stopped = if result.interrupted { ", interrupted" } else { "" };
    let epochs = counted(*epochs, "epoch");
    format!("{strategy} / {controller} on {space}, {data}, seed {seed}: {epochs}{stopped}\n")
}

fn selected_rows(selected: &Selected) -> Vec<(String, String)> {
    let mut rows = vec![
        row("architecture", &selected.arch),
        row("shared-weight accuracy", percent(Some(selected.valid_accuracy))),
        row("parameters, multiply-adds", format!("{}, {}", short(selected.params), short(selected.macs))),
    ];
    rows.extend(selected.truth.map(|truth| row("stand-alone accuracy (truth table)", percent(Some(truth)))));
    rows
}

fn probe_rows(probes: &Probes) -> Vec<(String, String)> {
    let mut rows = vec![row("number", probes.n)];
    rows.extend(probes.mean_accuracy.map(|accuracy| row("mean accuracy", percent(Some(accuracy)))));
    match &probes.disturbance {
        Some(d) => {
            let half = d.second_half.map(|half| format!(", second half {half:.2}")).unwrap_or_default();
            let name = format!("disturbance over {}", counted(d.interval, "epoch"));
            rows.push((name, format!("{:.2} points{half}", d.mean)));
        }
        None => rows.push(row("disturbance", "not measured: requires more epochs than --interval")),
    }
    rows.extend(probes.rank_stability.as_ref().map(|stability| {
        let name = format!("rank stability over {}", counted(stability.interval, "epoch"));
        (name, correlation(Some(stability.mean)))
    }));
    rows.extend(probes.single_step_disturbance.as_ref().map(|step| {
        let changes =
            format!("accuracy {:+.2} points, loss {:+.4}, |loss| {:.4}", step.accuracy, step.loss, step.abs_loss);
        row("single-step disturbance", format!("{changes} (n = {})", step.n))
    }));
    rows.extend(probes.by_shared_layers.iter().map(|step| {
        let name = format!("  with {} shared layers", step.layers);
        (name, format!("accuracy {:+.2} points, |loss| {:.4} (n = {})", step.accuracy, step.abs_loss, step.n))
    }));
    rows.extend(probes.forgetting.as_ref().map(|forgetting| {
        let change = format!("{:+.2} points (n = {})", forgetting.accuracy, forgetting.n);
        row("change from own update to end of epoch", change)
    }));
    rows
}

/// The comparison of the ranking with the truth table, for a run on the data set `data`.
pub fn truth_section(truth: &Truth, data: &str) -> String {
    let text = section("Ranking compared with stand-alone training", truth_rows(truth));
    match data_of(&truth.table) {
        Some(other) if other != data => {
            format!("{text}  Note: the table was measured on {other}, this run used {data}.\n")
        }
        _ => text,
    }
}

fn truth_rows(truth: &Truth) -> Vec<(String, String)> {
    let interval = match (truth.gt_tau_lo, truth.gt_tau_hi) {
        (Some(lo), Some(hi)) => format!(" [{lo:.3}, {hi:.3}] (95%)"),
        _ => String::new(),
    };
    let baselines = format!("{}, {}", correlation(truth.baselines.params), correlation(truth.baselines.macs));
    vec![
        row("truth table", &truth.table),
        row("architectures compared", truth.n),
        row("GT-tau", correlation(truth.gt_tau) + &interval),
        row("GT-tau of parameters, of multiply-adds", baselines),
        row("Spearman correlation", correlation(truth.spearman)),
        row(&format!("GT-tau among the best 10% (n = {})", truth.n_top10), correlation(truth.gt_tau_top10)),
        row(&format!("GT-tau among the best 50% (n = {})", truth.n_top50), correlation(truth.gt_tau_top50)),
        row("precision at 5%", correlation(truth.precision_at_5)),
        row("regret of the predicted best", points(truth.regret)),
    ]
}

/// The data set of a built-in truth table; none for a table from a file, whose data set is unknown.
fn data_of(table: &str) -> Option<&str> {
    match table.split_once('/')? {
        ("nasbench201", column) => column.split('_').next(),
        ("nasbench_macro", _) => Some("cifar10"),
        _ => None,
    }
}

fn cost_rows(result: &RunResult) -> Vec<(String, String)> {
    let mut rows = vec![
        row("steps", result.steps),
        row("sub-net passes", result.subnet_passes),
        row("images of each evaluation", result.eval_images),
        row("device, threads", format!("{}, {}", result.device, result.threads)),
    ];
    rows.extend(result.images_per_s.map(|rate| row("training speed", format!("{rate:.0} images/s"))));
    rows.push(row("total time, training time", format!("{}, {}", duration(result.wall_s), duration(result.train_s))));
    rows.extend(result.peak_rss_mb.map(|mib| row("peak memory", format!("{mib:.0} MiB"))));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_truth_tables_have_a_known_data_set() {
        assert_eq!(data_of("nasbench201/cifar10_test"), Some("cifar10"));
        assert_eq!(data_of("nasbench_macro/mean_acc"), Some("cifar10"));
        assert_eq!(data_of("truth/my.csv"), None);
    }
}
