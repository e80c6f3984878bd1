//! A table of networks as text, CSV and Markdown.

use crate::csv_text::CsvText;
use crate::published::{NetworkColumn, NetworkRow, PublishedTable, known, notes, shown_columns};
use crate::text_table::{NO_BREAK_SPACE, TextTable};
use anyhow::Result;

/// The columns of CSV files, one number each.
const CSV: [NetworkColumn; 16] = [
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
    let columns = shown_columns(rows);
    let mut aligned = TextTable::new(columns.iter().map(|(title, _)| title.to_uppercase()));
    for row in rows {
        aligned.row(columns.iter().map(|(_, value)| known(value(row)).replace(" ± ", &format!("{NO_BREAK_SPACE}± "))));
    }
    let notes: Vec<String> = notes(table, rows);
    format!("{}\n{}", aligned.for_stdout(usize::MAX), notes.join("\n"))
}

/// A Markdown table, and the notes as a list.
pub fn markdown(table: PublishedTable, rows: &[NetworkRow]) -> String {
    let columns = shown_columns(rows);
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(columns.iter().map(|(title, _)| (*title).into()).collect());
    text += &format!("|{}\n", "---|".repeat(columns.len()));
    for row in rows {
        // A bar would end the cell.
        text += &line(columns.iter().map(|(_, value)| known(value(row)).replace('|', "\\|")).collect());
    }
    notes(table, rows).iter().fold(text + "\n", |text, note| text + &format!("- {note}\n"))
}
