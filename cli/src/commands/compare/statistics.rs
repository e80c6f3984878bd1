//! Means, intervals and paired differences over seeds.

use super::figures::{Better, FIGURES, Figure, all};
use crate::archive::RunFolder;
use nas_core::metrics::{
    DEFAULT_RESAMPLES, Interval, Summary, chance_of_equal_signs, crossed_interval, kendall_tau, paired_difference,
    percentile_interval,
};
use nas_core::streams::Streams;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::collections::HashMap;

/// The largest p-value of a difference that is not left open.
const LEVEL: f64 = 0.05;

/// The runs of one variant, by ascending seed.
#[derive(Debug, Clone)]
pub struct Group {
    /// The variant.
    pub label: String,
    /// Its runs.
    pub runs: Vec<RunFolder>,
}

/// The difference to the first variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Seeds that both have.
    pub n: usize,
    /// Mean.
    pub mean: f64,
    /// Sample standard deviation.
    pub std: Option<f64>,
    /// Lower end of the 95% interval.
    pub lo: Option<f64>,
    /// Upper end.
    pub hi: Option<f64>,
    /// P-value of the sign-flip test over seeds.
    pub p: f64,
    /// `better`, `worse` or `different` where the interval excludes zero and p is at most [`LEVEL`], else `open`.
    pub verdict: &'static str,
}

/// One figure of one variant.
#[derive(Debug, Clone)]
pub struct Row {
    /// The variant, or a predictor in parentheses.
    pub label: String,
    /// Which figure.
    pub figure: &'static Figure,
    /// Number, mean and standard deviation over seeds.
    pub summary: Summary,
    /// 95% interval of the mean.
    pub interval: Option<Interval>,
    /// To the first variant; none for that one itself.
    pub difference: Option<Difference>,
}

/// All figures of all variants, those with times included.
pub fn rows(groups: &[Group]) -> Vec<Row> {
    let mut rows = Vec::new();
    for group in groups {
        for figure in all() {
            rows.extend(row(group, &groups[0], figure));
        }
    }
    rows
}

fn row(group: &Group, first: &Group, figure: &'static Figure) -> Option<Row> {
    let values: Vec<f64> = group.runs.iter().filter_map(|run| (figure.of)(run)).collect();
    let summary = Summary::of(&values).ok()?;
    let mean = |drawn: &[usize]| Some(drawn.iter().map(|&i| values[i]).sum::<f64>() / drawn.len() as f64);
    let interval = match figure.key {
        "truth_tau" => tau_interval(group),
        _ => percentile_interval(values.len(), DEFAULT_RESAMPLES, &mut rng(figure), mean),
    };
    let difference = if std::ptr::eq(group, first) { None } else { difference(group, first, figure) };
    Some(Row { label: group.label.clone(), figure, summary, interval, difference })
}

/// The same numbers for the same figure, whatever else is compared.
fn rng(figure: &Figure) -> ChaCha8Rng {
    Streams::new(0).rng(&format!("comparison/{}", figure.key), 0)
}

/// Runs of two variants with the same seed.
fn pairs<'a>(group: &'a Group, first: &'a Group) -> Vec<(&'a RunFolder, &'a RunFolder)> {
    let partner = |run: &RunFolder| first.runs.iter().find(|other| other.result.seed == run.result.seed);
    group.runs.iter().filter_map(|run| Some((partner(run)?, run))).collect()
}

fn difference(group: &Group, first: &Group, figure: &Figure) -> Option<Difference> {
    let pairs = pairs(group, first);
    let values = pairs.iter().filter_map(|(a, b)| Some(((figure.of)(a)?, (figure.of)(b)?)));
    let (a, b): (Vec<f64>, Vec<f64>) = values.unzip();
    let found = paired_difference(&a, &b, DEFAULT_RESAMPLES, &mut rng(figure)).ok()?;
    let interval = if figure.key == "truth_tau" { tau_difference_interval(&pairs) } else { found.interval };
    let verdict = verdict(found.p, interval, figure.better);
    let (lo, hi) = (interval.map(|i| i.lo), interval.map(|i| i.hi));
    Some(Difference { n: found.n, mean: found.mean, std: found.std, lo, hi, p: found.p, verdict })
}

/// A percentile interval over few seeds is too narrow, so it needs the consent of the test.
fn verdict(p: f64, interval: Option<Interval>, better: Better) -> &'static str {
    let Some(interval) = interval.filter(|interval| p <= LEVEL && (interval.lo > 0.0 || interval.hi < 0.0)) else {
        return "open";
    };
    match better {
        Better::Neither => "different",
        Better::Higher if interval.lo > 0.0 => "better",
        Better::Lower if interval.hi < 0.0 => "better",
        _ => "worse",
    }
}

/// The architectures of a run that are compared with the truth.
pub struct Compared<'a> {
    archs: Vec<&'a str>,
    /// Accuracies with shared weights.
    pub predicted: Vec<f64>,
    /// Accuracies by the truth table.
    pub truth: Vec<f64>,
}

impl<'a> Compared<'a> {
    /// Those of a run.
    pub fn of(run: &'a RunFolder) -> Self {
        let mut found = Self { archs: Vec::new(), predicted: Vec::new(), truth: Vec::new() };
        for (row, truth) in run.compared() {
            found.archs.push(&row.arch);
            found.predicted.push(row.accuracy);
            found.truth.push(truth);
        }
        found
    }

    /// Kendall's tau of the architectures at these positions.
    fn tau(&self, drawn: &[usize]) -> Option<f64> {
        let pick = |values: &[f64]| drawn.iter().map(|&at| values[at]).collect::<Vec<f64>>();
        kendall_tau(&pick(&self.predicted), &pick(&self.truth)).ok()
    }
}

/// Numbers the architectures of several runs, equal ones equally.
fn numbered(runs: &[Compared<'_>]) -> Vec<Vec<usize>> {
    let mut numbers = HashMap::new();
    let mut number = |arch| {
        let next = numbers.len();
        *numbers.entry(arch).or_insert(next)
    };
    runs.iter().map(|run| run.archs.iter().map(|arch| number(*arch)).collect()).collect()
}

/// Over seeds and architectures.
fn tau_interval(group: &Group) -> Option<Interval> {
    let runs: Vec<Compared<'_>> = group.runs.iter().map(Compared::of).collect();
    let mut rng = Streams::new(0).rng("comparison/truth", 0);
    crossed_interval(&numbered(&runs), DEFAULT_RESAMPLES, &mut rng, |run, drawn| runs[run].tau(drawn))
}

/// Over seeds and architectures, both runs of a pair with the same architectures.
fn tau_difference_interval(pairs: &[(&RunFolder, &RunFolder)]) -> Option<Interval> {
    let (a, b): (Vec<_>, Vec<_>) = pairs.iter().map(|(a, b)| (Compared::of(a), Compared::of(b))).unzip();
    let same = a.iter().zip(&b).all(|(a, b)| a.archs == b.archs && a.truth == b.truth);
    let mut rng = Streams::new(0).rng("comparison/truth", 0);
    let difference = |pair: usize, drawn: &[usize]| Some(b[pair].tau(drawn)? - a[pair].tau(drawn)?);
    same.then(|| crossed_interval(&numbered(&a), DEFAULT_RESAMPLES, &mut rng, difference)).flatten()
}

/// What needs no shared weights, measured on the architectures that the runs of the first variant were compared on.
pub fn baselines(first: &Group) -> Vec<Row> {
    let figure = |key: &str| FIGURES.iter().find(|figure| figure.key == key);
    let mut rows = Vec::new();
    let mut add = |label: &str, key: &str, of: &dyn Fn(&RunFolder) -> Option<f64>| {
        let values: Vec<f64> = first.runs.iter().filter_map(of).collect();
        if let (Some(figure), Ok(summary)) = (figure(key), Summary::of(&values)) {
            rows.push(Row { label: label.into(), figure, summary, interval: None, difference: None });
        }
    };
    add("(parameters)", "truth_tau", &|run| run.result.truth.as_ref()?.baselines.params);
    add("(multiply-adds)", "truth_tau", &|run| run.result.truth.as_ref()?.baselines.macs);
    add("(parameters)", "predicted_truth", &largest);
    add("(a random architecture)", "predicted_truth", &|run| expected_best(&Compared::of(run).truth, 1));
    add("(random search of 10)", "predicted_truth", &|run| expected_best(&Compared::of(run).truth, 10));
    add("(best of the sample)", "predicted_truth", &|run| Compared::of(run).truth.into_iter().reduce(f64::max));
    rows
}

/// True accuracy of the architecture with most parameters; of several, their mean.
fn largest(run: &RunFolder) -> Option<f64> {
    let most = run.compared().filter_map(|(row, _)| row.params).max()?;
    let of_most = run.compared().filter(|(row, _)| row.params == Some(most));
    let best: Vec<f64> = of_most.map(|(_, truth)| truth).collect();
    Some(best.iter().sum::<f64>() / best.len() as f64)
}

/// The expected largest of `draws` values drawn with replacement: with values ascending,
/// `sum of x_i ((i / n)^draws - ((i - 1) / n)^draws)`.
fn expected_best(values: &[f64], draws: i32) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let weight = |i: usize| ((i + 1) as f64 / n).powi(draws) - (i as f64 / n).powi(draws);
    (!sorted.is_empty()).then(|| sorted.iter().enumerate().map(|(i, x)| x * weight(i)).sum())
}

/// What the number of seeds allows to say of the differences to the first variant.
pub fn seeds_note(groups: &[Group]) -> Option<String> {
    let (first, others) = groups.split_first()?;
    others.iter().map(|group| pairs(group, first).len()).min().and_then(note_on)
}

fn note_on(n: usize) -> Option<String> {
    let chance = chance_of_equal_signs(n);
    (chance > LEVEL).then(|| match n {
        0 => "No seed in common: differences to the first variant need runs with the same seeds.".into(),
        1 => "One seed: nothing can be said about the difference between two strategies; use --seeds 6 or more.".into(),
        _ => format!(
            "{n} seeds are too few to conclude: chance alone gives {n} differences of equal sign in {:.0}% of cases, so \
             intervals over so few seeds are too narrow; use --seeds 6 or more.",
            100.0 * chance
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_best_lies_between_mean_and_maximum() {
        let values = [3.0, 1.0, 2.0];
        assert!((expected_best(&values, 1).unwrap() - 2.0).abs() < 1e-12);
        // Of two draws from 1, 2, 3: the largest is 1, 2, 3 in 1, 3, 5 of 9 cases.
        assert!((expected_best(&values, 2).unwrap() - (1.0 + 6.0 + 15.0) / 9.0).abs() < 1e-12);
        assert_eq!(expected_best(&[], 3), None);
    }

    #[test]
    fn nothing_is_concluded_from_few_seeds_or_an_interval_around_zero() {
        let interval = |lo, hi| Some(Interval { lo, hi });
        assert_eq!(verdict(0.06, interval(0.5, 1.5), Better::Higher), "open");
        assert_eq!(verdict(0.03, interval(-0.5, 1.5), Better::Higher), "open");
        assert_eq!(verdict(0.03, None, Better::Higher), "open");
        assert_eq!(verdict(0.03, interval(0.5, 1.5), Better::Higher), "better");
        assert_eq!(verdict(0.03, interval(0.5, 1.5), Better::Lower), "worse");
        assert_eq!(verdict(0.03, interval(-1.5, -0.5), Better::Lower), "better");
        assert_eq!(verdict(0.03, interval(0.5, 1.5), Better::Neither), "different");
        assert!(note_on(5).unwrap().contains("6%") && note_on(6).is_none());
        assert!(note_on(0).unwrap().contains("No seed in common") && note_on(1).unwrap().contains("One seed"));
    }
}
