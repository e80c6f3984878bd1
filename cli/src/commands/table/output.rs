//! A table of networks as text, CSV and Markdown.

use super::rows::{DartsScale, NetworkRow, Origin};
use crate::csv_text::CsvText;
use crate::published::PublishedTable;
use crate::text_table::{NO_BREAK_SPACE, TextTable};
use anyhow::Result;

/// Shown where a number is unknown.
const UNKNOWN: &str = "–";

/// A column: its title or key, and the value of a row.
type Column = (&'static str, fn(&NetworkRow) -> String);

/// The columns of CSV files, one number each.
const CSV: [Column; 16] = [
    ("method", |row| row.row.method.clone()),
    ("kind", |row| row.row.kind.clone()),
    ("origin", |row| row.origin.word().into()),
    ("accuracy", |row| row.row.accuracy.clone()),
    ("error", NetworkRow::error),
    ("deviation", |row| row.row.deviation.clone()),
    ("top5_accuracy", |row| row.row.top5_accuracy.clone()),
    ("top5_error", NetworkRow::top5_error),
    ("params_m", |row| row.row.params_m.clone()),
    ("computed_params_m", NetworkRow::computed_params),
    ("macs_m", |row| row.row.macs_m.clone()),
    ("computed_macs_m", NetworkRow::computed_macs),
    ("gpu_days", |row| row.row.gpu_days.clone()),
    ("trainings", |row| row.trainings.clone()),
    ("source", |row| row.row.source.clone()),
    ("comment", |row| row.row.comment.clone()),
];

/// The columns of text and Markdown. Tables without top-5 accuracies or MACs leave these columns out.
const SHOWN: [Column; 13] = [
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

/// All columns and rows as CSV.
///
/// # Errors
/// None in practice: the file is written to memory.
pub fn csv(rows: &[NetworkRow]) -> Result<String> {
    let mut text = CsvText::new(CSV.map(|(key, _)| key))?;
    rows.iter().try_for_each(|row| text.row(CSV.map(|(_, value)| value(row))))?;
    text.finish()
}

/// Aligned columns, and the notes.
pub fn text(table: PublishedTable, rows: &[NetworkRow]) -> String {
    let columns = shown(rows);
    let mut aligned = TextTable::new(columns.iter().map(|(title, _)| title.to_uppercase()));
    for row in rows {
        aligned.row(columns.iter().map(|(_, value)| known(value(row)).replace(" ± ", &format!("{NO_BREAK_SPACE}± "))));
    }
    let notes: Vec<String> = notes(table, rows);
    format!("{}\n{}", aligned.for_stdout(usize::MAX), notes.join("\n"))
}

/// A Markdown table, and the notes as a list.
pub fn markdown(table: PublishedTable, rows: &[NetworkRow]) -> String {
    let columns = shown(rows);
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(columns.iter().map(|(title, _)| (*title).into()).collect());
    text += &format!("|{}\n", "---|".repeat(columns.len()));
    for row in rows {
        // A bar would end the cell.
        text += &line(columns.iter().map(|(_, value)| known(value(row)).replace('|', "\\|")).collect());
    }
    notes(table, rows).iter().fold(text + "\n", |text, note| text + &format!("- {note}\n"))
}

/// The columns in which a row has a value.
fn shown(rows: &[NetworkRow]) -> Vec<Column> {
    SHOWN.into_iter().filter(|(_, value)| rows.iter().any(|row| !value(row).is_empty())).collect()
}

fn known(value: String) -> String {
    if value.is_empty() { UNKNOWN.into() } else { value }
}

/// Where the numbers come from, and the comments of rows.
fn notes(table: PublishedTable, rows: &[NetworkRow]) -> Vec<String> {
    let DartsScale { width, cells, side, classes } = DartsScale::of(table);
    let mut notes = vec![
        format!("quoted: numbers as printed in {}; not measured by this program", table.source()),
        format!(
            "computed: the network of this program with the published cell, {cells} cells and {width} channels, for \
             {classes} classes and images of {side} x {side}, without auxiliary head; the published network may have \
             another width and depth"
        ),
    ];
    if rows.iter().any(|row| row.origin == Origin::Measured) {
        notes.push(
            "measured: stand-alone trainings by this program, mean ± sample standard deviation over seeds".into(),
        );
    }
    let comments = rows.iter().filter(|row| !row.row.comment.is_empty());
    notes.extend(comments.map(|row| format!("{}: {}", row.row.method, row.row.comment)));
    notes
}
