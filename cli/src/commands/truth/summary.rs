//! The summary that `nas-train truth` prints for its table.

use super::file::TruthFile;
use crate::text::pairs;
use nas_core::config::RunConfig;
use nas_core::metrics::{kendall_tau, mean};
use nas_core::space::SearchSpace;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The figures of a truth table, as `--json` prints them. Accuracies are in percent.
#[derive(Debug, Serialize)]
pub struct TruthTableSummary {
    r#type: &'static str,
    schema: u32,
    space: String,
    data: String,
    interrupted: bool,
    /// Number of architectures.
    n: usize,
    /// Number of trainings.
    trainings: usize,
    mean: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    /// Architecture with the highest mean accuracy over its seeds.
    best: Option<String>,
    /// Mean Kendall tau between the accuracies of two seeds; it measures how well the ranking is reproduced.
    tau_between_seeds: Option<f64>,
}

impl TruthTableSummary {
    /// Computes the summary of all rows of a file.
    pub fn of(file: &TruthFile, config: &RunConfig, space: &dyn SearchSpace, interrupted: bool) -> Self {
        let mut by_arch: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let rows = file.rows().accuracies();
        for ((arch, _), accuracy) in rows {
            by_arch.entry(arch).or_default().push(*accuracy);
        }
        let means = by_arch.into_iter().filter_map(|(arch, values)| Some((arch, mean(values)?)));
        let means: Vec<(&str, f64)> = means.collect();
        let all: Vec<f64> = means.iter().map(|(_, mean)| *mean).collect();
        let best = means.iter().reduce(|best, next| if next.1 > best.1 { next } else { best });
        Self {
            r#type: "truth",
            schema: nas_core::result::SCHEMA,
            space: space.name().into(),
            data: config.data.name.clone(),
            interrupted,
            n: means.len(),
            trainings: rows.len(),
            mean: mean(all.iter().copied()),
            min: all.iter().copied().reduce(f64::min),
            max: all.iter().copied().reduce(f64::max),
            best: best.map(|(arch, _)| (*arch).into()),
            tau_between_seeds: between_seeds(rows),
        }
    }

    /// The summary as text.
    pub fn table(&self) -> String {
        let percent = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.2} %"));
        let rows = [
            ("architectures, trainings", format!("{}, {}", self.n, self.trainings)),
            ("mean accuracy", percent(self.mean)),
            ("worst, best", format!("{}, {}", percent(self.min), percent(self.max))),
            ("best architecture", self.best.clone().unwrap_or_else(|| "-".into())),
            ("Kendall tau between two seeds", self.tau_between_seeds.map_or("-".into(), |tau| format!("{tau:.3}"))),
        ];
        let rows = rows.map(|(name, value)| (name.to_owned(), value));
        let stopped = if self.interrupted { " (interrupted; repeat the command to resume)" } else { "" };
        format!("Stand-alone training on {} in space {}{stopped}\n{}", self.data, self.space, pairs(&rows))
    }

    /// Whether the table has no rows.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }
}

/// Mean Kendall tau over all pairs of seeds, on the architectures that both seeds have.
fn between_seeds(rows: &BTreeMap<(String, u64), f64>) -> Option<f64> {
    let seeds: Vec<u64> = rows.keys().map(|(_, seed)| *seed).collect::<BTreeSet<_>>().into_iter().collect();
    let mut taus = Vec::new();
    for (i, a) in seeds.iter().enumerate() {
        for b in &seeds[i + 1..] {
            let of_a = rows.iter().filter(|((_, seed), _)| seed == a);
            let both = of_a.filter_map(|((arch, _), x)| Some((*x, *rows.get(&(arch.clone(), *b))?)));
            let (x, y): (Vec<f64>, Vec<f64>) = both.unzip();
            taus.extend(kendall_tau(&x, &y));
        }
    }
    mean(taus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_seeds_are_compared_on_their_common_architectures() {
        let row = |arch: &str, seed, accuracy| ((arch.to_owned(), seed), accuracy);
        let rows = [row("a", 0, 1.0), row("b", 0, 2.0), row("c", 0, 3.0), row("a", 1, 5.0), row("b", 1, 4.0)];
        assert_eq!(between_seeds(&rows.into()), Some(-1.0));
        assert_eq!(between_seeds(&[row("a", 0, 1.0)].into()), None);
    }
}
