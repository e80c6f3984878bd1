//! The tables that a run ends with.

mod sequence;

use crate::text::{duration, pairs, short};
use nas_core::result::{Best, Probes, RunResult, Truth};
use std::path::Path;

/// What comes of a run or a sequence.
pub trait Outcome: serde::Serialize {
    /// Whether it was stopped before its end.
    fn interrupted(&self) -> bool;
    /// The result for people.
    fn report(&self, dir: &Path) -> String;
    /// Further files for the run directory, by name.
    fn tables(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

impl Outcome for RunResult {
    fn interrupted(&self) -> bool {
        self.interrupted
    }

    fn report(&self, dir: &Path) -> String {
        report(self, dir)
    }
}

fn report(result: &RunResult, dir: &Path) -> String {
    let mut parts = vec![title(result)];
    match &result.best {
        Some(best) => parts.push(section("Architecture found", best_rows(best))),
        None => parts.push("No architecture was chosen: the run was stopped before.\n".into()),
    }
    parts.extend(result.probes.as_ref().map(|probes| section("Probes", probe_rows(probes))));
    parts.extend(result.truth.as_ref().map(|truth| truth_part(truth, &result.data)));
    let fairness = result.fairness.as_ref();
    parts.extend(fairness.map(|fairness| {
        let range = format!("{} to {}, mean {:.1}", fairness.min, fairness.max, fairness.mean);
        section("Fairness", vec![row("updates per choice", range)])
    }));
    parts.push(section("Cost", cost_rows(result)));
    parts.push(format!("Everything is in {}\n", dir.display()));
    parts.join("\n")
}

fn title(result: &RunResult) -> String {
    let RunResult { strategy, controller, space, data, seed, epochs, .. } = result;
    let stopped = if result.interrupted { ", interrupted" } else { "" };
    format!("{strategy} / {controller} on {space}, {data}, seed {seed}: {epochs} epochs{stopped}\n")
}

fn section(title: &str, rows: Vec<(String, String)>) -> String {
    format!("{title}\n{}", pairs(&rows))
}

fn row(name: &str, value: impl ToString) -> (String, String) {
    (name.into(), value.to_string())
}

fn best_rows(best: &Best) -> Vec<(String, String)> {
    let mut rows = vec![
        row("architecture", &best.arch),
        row("accuracy, shared weights", percent(best.valid_accuracy)),
        row("parameters, multiply-adds", format!("{}, {}", short(best.params), short(best.macs))),
    ];
    rows.extend(best.truth.map(|truth| row("accuracy by the truth table", percent(truth))));
    rows
}

fn probe_rows(probes: &Probes) -> Vec<(String, String)> {
    let mut rows = vec![row("architectures", probes.n)];
    rows.extend(probes.mean_accuracy.map(|accuracy| row("mean accuracy", percent(accuracy))));
    match &probes.disturbance {
        Some(d) => {
            let half = d.second_half.map(|half| format!(", second half {half:.2}")).unwrap_or_default();
            let name = format!("disturbance, interval {}", d.interval);
            rows.push((name, format!("{:.2} points{half}", d.mean)));
        }
        None => rows.push(row("disturbance", "the run is shorter than its interval (--interval)")),
    }
    rows.extend(probes.kendall_tau.as_ref().map(|tau| {
        let name = format!("Kendall tau, interval {}", tau.interval);
        (name, format!("{:.3}", tau.mean))
    }));
    rows.extend(probes.immediate.as_ref().map(|i| {
        let figures = format!("accuracy {:+.2} points, loss {:+.4}, |loss| {:.4}", i.accuracy, i.loss, i.abs_loss);
        row("immediate disturbance", format!("{figures} (n = {})", i.n))
    }));
    rows.extend(probes.shared_layers.iter().map(|s| {
        let name = format!("  sharing {} layers", s.layers);
        (name, format!("accuracy {:+.2} points, |loss| {:.4} (n = {})", s.accuracy, s.abs_loss, s.n))
    }));
    rows.extend(
        probes
            .forgetting
            .as_ref()
            .map(|f| row("change from own update to end of epoch", format!("{:+.2} points (n = {})", f.accuracy, f.n))),
    );
    rows
}

fn truth_part(truth: &Truth, data: &str) -> String {
    let text = section("Ranking compared with stand-alone training", truth_rows(truth));
    match data_of(&truth.table) {
        Some(other) if other != data => {
            format!("{text}  Note: the table was measured on {other}, this run used {data}.\n")
        }
        _ => text,
    }
}

fn truth_rows(truth: &Truth) -> Vec<(String, String)> {
    let interval = match (truth.lo, truth.hi) {
        (Some(lo), Some(hi)) => format!(" [{lo:.3}, {hi:.3}] (95%)"),
        _ => String::new(),
    };
    let baselines = format!("{}, {}", figure(truth.baselines.params), figure(truth.baselines.macs));
    vec![
        row("table", &truth.table),
        row("architectures", truth.n),
        row("Kendall tau", figure(truth.tau) + &interval),
        row("tau of parameters, of multiply-adds", baselines),
        row("Spearman correlation", figure(truth.spearman)),
        row(&format!("tau among the best 10% (n = {})", truth.n_top10), figure(truth.tau_top10)),
        row(&format!("tau among the best 50% (n = {})", truth.n_top50), figure(truth.tau_top50)),
        row("precision at 5%", figure(truth.p_at_5)),
        row("regret", truth.regret.map_or("-".into(), |regret| format!("{regret:.2} points"))),
    ]
}

/// The data set on which an embedded table was measured; nobody knows it of a file.
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
        row("images for evaluations", result.eval_images),
        row("device, threads", format!("{}, {}", result.device, result.threads)),
    ];
    rows.extend(result.images_per_s.map(|rate| row("training speed", format!("{rate:.0} images/s"))));
    rows.push(row("time, of it training", format!("{}, {}", duration(result.wall_s), duration(result.train_s))));
    rows.extend(result.peak_rss_mb.map(|mib| row("peak memory", format!("{mib:.0} MiB"))));
    rows
}

fn percent(value: f64) -> String {
    format!("{value:.2} %")
}

fn figure(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{value:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_other_data_are_known() {
        assert_eq!(data_of("nasbench201/cifar10_test"), Some("cifar10"));
        assert_eq!(data_of("nasbench_macro/mean_acc"), Some("cifar10"));
        assert_eq!(data_of("truth/my.csv"), None);
    }
}
