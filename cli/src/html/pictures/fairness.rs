//! How evenly the choices were trained.

use super::super::picture::Picture;
use super::super::svg::{Chart, Marks, Series};
use super::legend;
use crate::comparison::VariantRuns;
use crate::csv_text::CsvText;
use anyhow::Result;
use nas_core::metrics::mean;
use std::collections::BTreeMap;

/// Width of a bin of the histogram, as a multiple of the mean.
const BIN: f64 = 0.05;

/// A histogram of the sub-net passes per choice, relative to the mean of the decision.
pub fn picture(variants: &[VariantRuns]) -> Result<Picture> {
    let (mut series, mut csv) = (Vec::new(), CsvText::new(["variant", "seed", "decision", "choice", "subnet_passes"])?);
    for (colour, variant) in variants.iter().enumerate() {
        let mut relative = Vec::new();
        for run in &variant.runs {
            let Some(fairness) = &run.result.fairness else { continue };
            // A decision with a single choice has no fairness.
            for (decision, counts) in fairness.counts.iter().enumerate().filter(|(_, counts)| counts.len() > 1) {
                let mean = mean(counts.iter().map(|count| *count as f64)).unwrap_or_default();
                for (choice, count) in counts.iter().enumerate() {
                    csv.row([
                        variant.label.as_str(),
                        &run.result.seed.to_string(),
                        &decision.to_string(),
                        &choice.to_string(),
                        &count.to_string(),
                    ])?;
                    relative.push(*count as f64 / mean);
                }
            }
        }
        series.push(Series { label: variant.label.clone(), colour, points: histogram(&relative), band: Vec::new() });
    }
    let (legend, title) = (legend(&series), "Fairness: sub-net passes per choice".to_owned());
    let (x, y) = ("sub-net passes, as a multiple of the decision's mean".into(), "share of the choices in %".into());
    let svg = Chart { title: title.clone(), x, y, marks: Marks::Lines, series }.svg();
    let caption =
        "Histogram over the choices of all decisions between operations, all seeds. Strict fairness is a peak at 1."
            .into();
    Ok(Picture { name: "fairness".into(), title, caption, svg, wide: false, legend, csv: csv.finish()? })
}

/// The outline of a histogram: the share of the finite values in each bin in percent. Bins without values between two
/// others are one line, because an outlier may lie any number of bins away.
fn histogram(values: &[f64]) -> Vec<(f64, f64)> {
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    let finite = || values.iter().filter(|value| value.is_finite());
    finite().for_each(|value| *counts.entry((value / BIN).round() as i64).or_default() += 1);
    let (total, mut outline) = (finite().count(), Vec::new());
    let mut end = None;
    for (bin, count) in counts {
        let (left, right, share) = (edge(bin, -0.5), edge(bin, 0.5), 100.0 * count as f64 / total as f64);
        if end != Some(bin) {
            outline.extend(end.map(|end| (edge(end, -0.5), 0.0)));
            outline.push((left, 0.0));
        }
        outline.extend([(left, share), (right, share)]);
        end = Some(bin.saturating_add(1));
    }
    outline.extend(end.map(|end| (edge(end, -0.5), 0.0)));
    outline
}

/// The value at a side of a bin: -0.5 is the left one, 0.5 the right one.
fn edge(bin: i64, side: f64) -> f64 {
    (bin as f64 + side) * BIN
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

    #[test]
    fn empty_bins_take_no_space() {
        let outline = histogram(&[1.0, 1e17, f64::INFINITY, f64::NAN]);
        assert_eq!(outline.len(), 8);
        assert_eq!((outline[1].1, outline[3].1, outline[4].1, outline[5].1), (50.0, 0.0, 0.0, 50.0));
        assert_eq!(histogram(&[0.0, f64::MAX]).len(), 8);
    }
}
