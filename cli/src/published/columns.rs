//! The columns of a table of networks, and the notes below it.

use super::{DartsScale, NetworkRow, NumberSource, PublishedTable};

/// Shown where a number is unknown.
const UNKNOWN: &str = "–";

/// A column: its title or key, and the value of a row.
pub type NetworkColumn = (&'static str, fn(&NetworkRow) -> String);

/// The columns of text and Markdown. Tables without top-5 accuracies or MACs leave these columns out.
const SHOWN: [NetworkColumn; 13] = [
    ("network", |row| row.row.method.clone()),
    ("kind", |row| row.row.kind.clone()),
    ("numbers", |row| row.origin.word().into()),
    ("accuracy (%)", |row| with_deviation(&row.row.accuracy, &row.row.deviation)),
    ("error (%)", NetworkRow::error),
    ("top-5 error (%)", NetworkRow::top5_error),
    ("parameters (M)", |row| row.row.params_m.clone()),
    ("computed parameters (M)", NetworkRow::computed_params),
    ("MACs (M)", |row| row.row.macs_m.clone()),
    ("computed MACs (M)", NetworkRow::computed_macs),
    ("search (GPU days)", |row| row.row.gpu_days.clone()),
    ("trainings", |row| row.trainings.clone()),
    ("source", |row| row.row.source.clone()),
];

fn with_deviation(accuracy: &str, deviation: &str) -> String {
    if deviation.is_empty() { accuracy.into() } else { format!("{accuracy} ± {deviation}") }
}

/// The columns in which a row has a value.
pub fn shown_columns(rows: &[NetworkRow]) -> Vec<NetworkColumn> {
    SHOWN.into_iter().filter(|(_, value)| rows.iter().any(|row| !value(row).is_empty())).collect()
}

/// The value of a cell, or a dash where it is unknown.
pub fn known(value: String) -> String {
    if value.is_empty() { UNKNOWN.into() } else { value }
}

/// Where the numbers come from, and the comments of rows.
pub fn notes(table: PublishedTable, rows: &[NetworkRow]) -> Vec<String> {
    let DartsScale { width, cells, side, classes } = DartsScale::of(table);
    let mut notes = vec![
        format!("quoted: numbers as printed in {}; not measured by this program", table.source()),
        format!(
            "computed: the network of this program with the published cell, {cells} cells and {width} channels, for \
             {classes} classes and images of {side} x {side}, without auxiliary head; the published network may have \
             another width and depth. In measured rows: the trained network"
        ),
    ];
    if rows.iter().any(|row| row.origin == NumberSource::Measured) {
        notes.push(
            "measured: stand-alone trainings by this program, mean ± sample standard deviation over seeds".into(),
        );
    }
    let comments = rows.iter().filter(|row| !row.row.comment.is_empty());
    notes.extend(comments.map(|row| format!("{}: {}", row.row.method, row.row.comment)));
    notes
}
