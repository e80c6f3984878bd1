//! Disturbance matrices.

use super::super::picture::Picture;
use super::super::svg::heat_map;
use crate::archive::ArchivedSequence;
use crate::csv_text::CsvText;
use crate::text::counted;
use anyhow::Result;

/// The accuracy of each architecture of a sequence after the training of each.
pub fn picture(number: usize, label: &str, sequence: &ArchivedSequence) -> Result<Picture> {
    let result = &sequence.result;
    let mut csv = CsvText::new(["arch", "trained", "accuracy"])?;
    for (i, row) in result.matrix.iter().enumerate() {
        for (j, accuracy) in row.iter().enumerate().filter_map(|(j, value)| Some((j, (*value)?))) {
            csv.row([i.to_string(), j.to_string(), accuracy.to_string()])?;
        }
    }
    let title = format!("Disturbance matrix of {label}");
    let one_decimal = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.1}"));
    let caption = format!(
        "Accuracy in % of {} architectures of {}, trained one after another with seed {}, {} each (DINAS, figure 1b). Mean \
         right after own training {} %, after the last training {} %, drop {} points. Directory: {}.",
        result.archs.len(),
        result.space,
        result.seed,
        counted(result.epochs_each, "epoch"),
        one_decimal(result.own),
        one_decimal(result.r#final),
        one_decimal(result.drop),
        sequence.path.display()
    );
    let svg = heat_map(&title, &result.matrix);
    Ok(Picture {
        name: format!("matrix_{number}"),
        title,
        caption,
        svg,
        wide: false,
        legend: Vec::new(),
        csv: csv.finish()?,
    })
}
