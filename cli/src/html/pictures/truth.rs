//! Shared-weight accuracy over stand-alone accuracy.

use super::super::picture::Picture;
use super::super::svg::{Chart, Marks, Series};
use super::{legend, outliers};
use crate::comparison::VariantRuns;
use crate::csv_text::CsvText;
use anyhow::Result;

/// A dot for each architecture that the first seed of each variant compares with the truth table. The data has all
/// seeds.
pub fn picture(variants: &[VariantRuns]) -> Result<Picture> {
    let (mut series, mut csv) = (Vec::new(), CsvText::new(["variant", "seed", "arch", "shared", "truth"])?);
    for (colour, variant) in variants.iter().enumerate() {
        for run in &variant.runs {
            for (row, truth) in run.compared() {
                csv.row([
                    variant.label.as_str(),
                    &run.result.seed.to_string(),
                    &row.arch,
                    &row.accuracy.to_string(),
                    &truth.to_string(),
                ])?;
            }
        }
        let first = variant.runs.iter().take(1).flat_map(|run| run.compared());
        let points = first.map(|(row, truth)| (truth, row.accuracy));
        let points = points.filter(|(truth, shared)| truth.is_finite() && shared.is_finite()).collect();
        series.push(Series { label: variant.label.clone(), colour, points, band: Vec::new() });
    }
    let taus: Vec<String> = variants.iter().filter_map(gt_tau).collect();
    let mut caption = match taus.is_empty() {
        true => "First seed. GT-tau is undefined, because all predictions are equal.".into(),
        false => format!("First seed. GT-tau with its 95% interval over architectures: {}.", taus.join("; ")),
    };
    match outliers::move_to_fences(&mut series) {
        0 => {}
        1 => caption += " One dot lies far outside of the axes and is drawn at their end.",
        n => caption += &format!(" {n} dots lie far outside of the axes and are drawn at their ends."),
    }
    let (legend, title) = (legend(&series), "Shared weights against stand-alone training".to_owned());
    let (x, y) = ("stand-alone accuracy in %".into(), "shared-weight accuracy in %".into());
    let svg = Chart { title: title.clone(), x, y, marks: Marks::Dots, series }.svg();
    Ok(Picture { name: "truth".into(), title, caption, svg, wide: false, legend, csv: csv.finish()? })
}

/// `plain 0.512 [0.43, 0.58], n = 1000`: GT-tau of the first seed.
fn gt_tau(variant: &VariantRuns) -> Option<String> {
    let truth = variant.runs.first()?.result.truth.as_ref()?;
    let interval =
        truth.gt_tau_lo.zip(truth.gt_tau_hi).map(|(lo, hi)| format!(" [{lo:.2}, {hi:.2}]")).unwrap_or_default();
    Some(format!("{} {:.3}{interval}, n = {}", variant.label, truth.gt_tau?, truth.n))
}
