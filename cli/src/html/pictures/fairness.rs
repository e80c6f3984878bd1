//! How evenly the choices were trained.

use super::super::picture::Picture;
use super::super::svg::{Chart, Marks, Series};
use super::legend;
use crate::comparison::VariantRuns;
use crate::csv_text::CsvText;
use anyhow::Result;
use std::collections::BTreeMap;

/// Width of a bin of the histogram, as a multiple of the mean.
const BIN: f64 = 0.05;

/// A histogram of the updates per choice, relative to their mean.
pub fn picture(variants: &[VariantRuns]) -> Result<Picture> {
    let (mut series, mut csv) = (Vec::new(), CsvText::new(["variant", "seed", "decision", "choice", "updates"])?);
    for (colour, variant) in variants.iter().enumerate() {
        let mut relative = Vec::new();
        for run in &variant.runs {
            let Some(fairness) = &run.result.fairness else { continue };
            for (decision, counts) in fairness.counts.iter().enumerate() {
                for (choice, count) in counts.iter().enumerate() {
                    csv.row([
                        variant.label.as_str(),
                        &run.result.seed.to_string(),
                        &decision.to_string(),
                        &choice.to_string(),
                        &count.to_string(),
                    ])?;
                    relative.push(*count as f64 / fairness.mean.max(1e-9));
                }
            }
        }
        series.push(Series { label: variant.label.clone(), colour, points: histogram(&relative), band: Vec::new() });
    }
    let (legend, title) = (legend(&series), "Fairness: updates per choice".to_owned());
    let (x, y) = ("updates, as a multiple of the mean".into(), "share of the choices in %".into());
    let svg = Chart { title: title.clone(), x, y, marks: Marks::Lines, series }.svg();
    let caption = "Histogram over all choices of all decisions and seeds. Strict fairness is a peak at 1.".into();
    Ok(Picture { name: "fairness".into(), title, caption, svg, legend, csv: csv.finish()? })
}

/// The outline of a histogram: the share of the values in each bin in percent.
fn histogram(values: &[f64]) -> Vec<(f64, f64)> {
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    values.iter().for_each(|value| *counts.entry((value / BIN).round() as i64).or_default() += 1);
    let (Some(first), Some(last)) = (counts.keys().next().copied(), counts.keys().last().copied()) else {
        return Vec::new();
    };
    let share = |bin: i64| 100.0 * counts.get(&bin).copied().unwrap_or(0) as f64 / values.len() as f64;
    let edge = |bin: i64, side: f64| (bin as f64 + side) * BIN;
    let outline = (first..=last).flat_map(|bin| [(edge(bin, -0.5), share(bin)), (edge(bin, 0.5), share(bin))]);
    [(edge(first, -0.5), 0.0)].into_iter().chain(outline).chain([(edge(last, 0.5), 0.0)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_covers_all_values() {
        let outline = histogram(&[1.0, 1.0, 1.1, 0.9]);
        let area: f64 = outline.windows(2).map(|w| (w[1].0 - w[0].0) * w[0].1).sum();
        assert!((area - 100.0 * BIN).abs() < 1e-9, "{outline:?}");
        assert_eq!(histogram(&[1.0; 3])[1].1, 100.0);
        assert!(histogram(&[]).is_empty());
    }
}
