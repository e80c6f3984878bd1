//! Intervals of GT-tau over seeds and architectures.
//!
//! The tau of one run varies with the seed and with the architectures that are compared with the truth. The bootstrap
//! therefore draws both: seeds, and architectures in common for all seeds.

use super::VariantRuns;
use crate::archive::ArchivedRun;
use nas_core::metrics::{ConfidenceInterval, DEFAULT_RESAMPLES, crossed_interval, kendall_tau};
use nas_core::streams::Streams;
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;

/// The key of GT-tau among the figures.
pub const KEY: &str = "gt_tau";

/// The architectures of a run that are compared with the truth table.
pub struct ComparedArchs<'a> {
    archs: Vec<&'a str>,
    /// Accuracies with shared weights in percent.
    predicted: Vec<f64>,
    /// Accuracies of stand-alone training in percent.
    truth: Vec<f64>,
}

impl<'a> ComparedArchs<'a> {
    fn of(run: &'a ArchivedRun) -> Self {
        let mut compared = Self { archs: Vec::new(), predicted: Vec::new(), truth: Vec::new() };
        for (row, truth) in run.compared() {
            compared.archs.push(&row.arch);
            compared.predicted.push(row.accuracy);
            compared.truth.push(truth);
        }
        compared
    }

    /// Kendall tau over the architectures at these positions.
    fn tau(&self, drawn: &[usize]) -> Option<f64> {
        let pick = |values: &[f64]| drawn.iter().map(|&at| values[at]).collect::<Vec<f64>>();
        kendall_tau(&pick(&self.predicted), &pick(&self.truth)).ok()
    }
}

/// The 95% interval of a variant's mean GT-tau `mean`, which it contains. For one run, it is the interval that the run
/// itself computed.
pub fn interval(mean: f64, variant: &VariantRuns) -> Option<ConfidenceInterval> {
    if let [run] = &variant.runs[..] {
        let truth = run.result.truth.as_ref()?;
        return Some(ConfidenceInterval { lo: truth.gt_tau_lo?, hi: truth.gt_tau_hi? });
    }
    let runs: Vec<ComparedArchs<'_>> = variant.runs.iter().map(ComparedArchs::of).collect();
    crossed_interval(mean, &arch_numbers(&runs), DEFAULT_RESAMPLES, &mut rng(), |run, drawn| runs[run].tau(drawn))
}

/// The 95% interval of the mean difference `mean` of GT-tau over pairs of runs (reference, variant). None unless both
/// runs of every pair compare the same architectures.
pub fn difference_interval(mean: f64, pairs: &[(&ArchivedRun, &ArchivedRun)]) -> Option<ConfidenceInterval> {
    let both = pairs.iter().map(|(a, b)| (ComparedArchs::of(a), ComparedArchs::of(b)));
    let (a, b): (Vec<_>, Vec<_>) = both.unzip();
    let same = a.iter().zip(&b).all(|(a, b)| a.archs == b.archs && a.truth == b.truth);
    let difference = |pair: usize, drawn: &[usize]| Some(b[pair].tau(drawn)? - a[pair].tau(drawn)?);
    same.then(|| crossed_interval(mean, &arch_numbers(&a), DEFAULT_RESAMPLES, &mut rng(), difference)).flatten()
}

fn rng() -> ChaCha8Rng {
    Streams::new(0).rng("comparison/truth", 0)
}

/// Numbers the architectures of several runs; equal architectures get equal numbers.
fn arch_numbers(runs: &[ComparedArchs<'_>]) -> Vec<Vec<usize>> {
    let mut numbers = HashMap::new();
    let mut number = |arch| {
        let next = numbers.len();
        *numbers.entry(arch).or_insert(next)
    };
    runs.iter().map(|run| run.archs.iter().map(|arch| number(*arch)).collect()).collect()
}
