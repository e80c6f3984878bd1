//! `runs.csv`, `comparison.csv` and `costs.csv`.

use super::{Comparison, Estimate};
use crate::csv_text::CsvText;
use anyhow::Result;
use nas_core::figures::FIGURES;

/// `runs.csv`: one row per run, one column per figure.
///
/// # Errors
/// None in practice: the file is written to memory.
pub fn runs(comparison: &Comparison) -> Result<String> {
    let start = ["variant", "strategy", "seed", "selected"];
    let mut csv = CsvText::new(start.into_iter().chain(FIGURES.iter().map(|figure| figure.key)))?;
    for variant in &comparison.variants {
        for run in &variant.runs {
            let result = &run.result;
            let selected = result.selected.as_ref().map_or("", |selected| &selected.arch);
            let start = [variant.label.clone(), result.strategy.clone(), result.seed.to_string(), selected.into()];
            csv.row(start.into_iter().chain(FIGURES.iter().map(|figure| number((figure.value)(result)))))?;
        }
    }
    csv.finish()
}

/// `comparison.csv`: the figures that equal runs repeat bit by bit. Equal comparisons write equal files.
///
/// # Errors
/// None in practice: the file is written to memory.
pub fn figures(comparison: &Comparison) -> Result<String> {
    table(comparison.estimates.iter().filter(|estimate| !estimate.figure.is_cost).chain(&comparison.baselines))
}

/// `costs.csv`: times and memory, with the columns of `comparison.csv`.
///
/// # Errors
/// None in practice: the file is written to memory.
pub fn costs(comparison: &Comparison) -> Result<String> {
    table(comparison.estimates.iter().filter(|estimate| estimate.figure.is_cost))
}

const COLUMNS: [&str; 16] = [
    "variant",
    "figure",
    "unit",
    "better",
    "n",
    "mean",
    "std",
    "lo",
    "hi",
    "difference",
    "difference_n",
    "difference_std",
    "difference_lo",
    "difference_hi",
    "difference_p",
    "verdict",
];

/// One row per variant and figure. Fields that do not apply are empty.
fn table<'a>(estimates: impl Iterator<Item = &'a Estimate>) -> Result<String> {
    let mut csv = CsvText::new(COLUMNS)?;
    for estimate in estimates {
        let (summary, difference) = (estimate.summary, estimate.difference.as_ref());
        csv.row([
            estimate.label.as_str(),
            estimate.figure.key,
            estimate.figure.unit,
            estimate.figure.direction.key(),
            &summary.n.to_string(),
            &summary.mean.to_string(),
            &number(summary.std),
            &number(estimate.interval.map(|interval| interval.lo)),
            &number(estimate.interval.map(|interval| interval.hi)),
            &number(difference.map(|d| d.mean)),
            &difference.map(|d| d.n.to_string()).unwrap_or_default(),
            &number(difference.and_then(|d| d.std)),
            &number(difference.and_then(|d| d.lo)),
            &number(difference.and_then(|d| d.hi)),
            &number(difference.map(|d| d.p)),
            difference.map_or("", |d| d.verdict.name()),
        ])?;
    }
    csv.finish()
}

fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
