//! Curves over several seeds.

use super::super::svg::Series;
use nas_core::metrics::Summary;
use std::collections::BTreeMap;

/// The mean over seeds at each position, and the range between the seeds as a band. `curves` has position and value of
/// each point, one list for each seed. Positions with a value that is not finite are left out.
pub fn mean_with_range(label: &str, colour: usize, curves: &[Vec<(u64, f64)>]) -> Series {
    let mut values_at: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (position, value) in curves.iter().flatten() {
        values_at.entry(*position).or_default().push(*value);
    }
    let mean = |values: &[f64]| Summary::of(values).ok().map(|summary| summary.mean);
    let points = values_at.iter().filter_map(|(position, values)| Some((*position as f64, mean(values)?)));
    let bands = values_at.values().filter(|values| mean(values).is_some()).map(|values| range(values));
    let band = if curves.len() > 1 { bands.collect() } else { Vec::new() };
    Series { label: label.to_owned(), colour, points: points.collect(), band }
}

fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), value| (lo.min(*value), hi.max(*value)))
}
