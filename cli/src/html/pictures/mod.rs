//! The pictures of a report.

mod cell;
mod curve;
mod fairness;
mod front;
mod matrix;
mod mean;
mod outliers;
mod time;
mod training;
mod truth;

pub use cell::architecture_svg;
pub use training::pictures as of_trainings;

use super::picture::Picture;
use super::svg::Series;
use crate::archive::ArchivedSequence;
use crate::comparison::VariantRuns;
use anyhow::Result;

/// All pictures of runs and sequences, in the order of the page.
///
/// # Errors
/// None in practice: the data files are written to memory.
pub fn of_runs(variants: &[VariantRuns], sequences: &[(String, ArchivedSequence)]) -> Result<Vec<Picture>> {
    if variants.is_empty() && sequences.is_empty() {
        return Ok(Vec::new());
    }
    let mut pictures = curve::of_training(variants)?;
    pictures.push(truth::picture(variants)?);
    pictures.extend(front::picture(variants)?);
    pictures.push(fairness::picture(variants)?);
    pictures.extend(curve::of_controller(variants)?);
    pictures.push(time::picture(variants)?);
    for (number, (label, sequence)) in sequences.iter().enumerate() {
        pictures.push(matrix::picture(number, label, sequence)?);
    }
    for (number, variant) in variants.iter().enumerate() {
        pictures.extend(cell::picture(number, variant)?);
    }
    Ok(pictures)
}

/// The legend of the series that have points.
fn legend(series: &[Series]) -> Vec<(String, usize)> {
    let drawn = series.iter().filter(|series| !series.points.is_empty());
    drawn.map(|series| (series.label.clone(), series.colour)).collect()
}
