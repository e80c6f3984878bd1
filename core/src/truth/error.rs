//! Errors of truth tables.

use std::path::PathBuf;

use crate::quote::{number, quote};

use thiserror::Error;

/// A truth table that cannot be read, or that lacks the requested column or row.
///
/// Lines are numbered from 1. Each message gives the line, the expected content, the content found, and a remedy.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum TruthError {
    /// An embedded table has no such column.
    #[error("unknown column `{}` of table {table}{hint}; expected `auto`, a file FILE.csv, or one of {}", quote(.found), .columns.join(", "))]
    UnknownColumn { table: &'static str, found: String, hint: String, columns: Vec<String> },
    /// The column holds other values than accuracies.
    #[error(
        "column `{column}` of table {table} has no accuracies in percent; choose one of {}",
        .accuracies.join(", ")
    )]
    NotAccuracy { table: &'static str, column: String, accuracies: Vec<String> },
    /// An embedded table has no such row.
    #[error("table {table} has {rows} architectures, numbered from 0, found index {index}")]
    UnknownIndex { table: &'static str, rows: usize, index: usize },
    /// The file cannot be opened or read.
    #[error("cannot read the truth table {}", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// The file is not a truth table.
    #[error("truth table {}", .path.display())]
    File { path: PathBuf, source: Box<TruthError> },
    /// The table was trained on other data than those of the run.
    #[error(
        "truth table {}: it was trained on data with the fingerprint {of_table:.12}, the run has {of_run:.12}; use a table \
         of the same data, or copy the table without {} to compare other data on purpose",
        .path.display(),
        .path.with_extension("toml").display()
    )]
    OtherData { path: PathBuf, of_table: String, of_run: String },
    /// The configuration beside the table is damaged, so the data of the table are unknown.
    #[error(
        "{} {problem}; it should hold the configuration of the truth table beside it: restore it, or remove it to use the \
         table with any data", .path.display()
    )]
    SettingsFile { path: PathBuf, problem: String },
    /// The table has no rows.
    #[error(
        "the table is empty: expected a header 'arch,accuracy' or 'arch,seed,accuracy' and a row for each architecture"
    )]
    Empty,
    /// The header lacks a column.
    #[error("line {line}: expected a header with a column '{column}', found {}; {}", quoted(.found), header_remedy(.found))]
    MissingColumn { line: u64, column: &'static str, found: Vec<String> },
    /// The file is the `archs.csv` of a run.
    #[error(
        "the file holds accuracies with shared weights (`archs.csv` of a run), not stand-alone accuracies; use a table of \
         `nas-train truth`"
    )]
    SharedWeights,
    /// The header names a column twice.
    #[error("line {line}: the header names the column '{column}' twice; rename or remove one of them")]
    RepeatedColumn { line: u64, column: &'static str },
    /// A row has more or fewer fields than the header.
    #[error(
        "line {line}: expected {expected} fields as in the header, found {found}; put double quotes around a field that \
         contains a comma"
    )]
    Fields { line: u64, expected: u64, found: u64 },
    /// The file is not UTF-8 text.
    #[error("line {line}: found bytes that are not UTF-8; save the file as UTF-8 text")]
    NotText { line: u64 },
    /// Another error of the CSV reader.
    #[error("cannot read the rows")]
    Csv(#[source] csv::Error),
    /// A field is not a number.
    #[error("line {line}: expected {expected} in column '{column}', found '{}'", quote(.found))]
    NotANumber { line: u64, column: &'static str, expected: &'static str, found: String },
    /// An accuracy lies outside 0 to 100.
    #[error(
        "line {line}: expected an accuracy in percent, from 0 to 100, found {}; correct or remove the row", quote(.found)
    )]
    OutOfRange { line: u64, found: String },
    /// A fraction lies outside 0 to 1.
    #[error(
        "line {line}: expected an accuracy as a fraction (truth.unit), from 0 to 1, found {}; correct the row, or leave \
         truth.unit out for a table in percent", quote(.found)
    )]
    NotAFraction { line: u64, found: String },
    /// Accuracies in percent of which none exceeds 1.
    #[error(
        "no accuracy exceeds 1 (the highest is {}), expected percent, from 0 to 100; if these are fractions, use \
         --set truth.unit=fraction", number(*.highest)
    )]
    Fractions { highest: f64 },
    /// Two rows have the same architecture and seed.
    #[error(
        "line {line}: architecture {}{} is already in line {first}; remove one of the rows or give them different \
         seeds in a column 'seed'",
        quote(.arch),
        .seed.map(|seed| format!(" with seed {seed}")).unwrap_or_default()
    )]
    Duplicate { line: u64, first: u64, arch: String, seed: Option<u64> },
    /// The text is not an architecture of the space.
    #[error("line {line}: '{}' is not an architecture of space {space}: {reason}", quote(.arch))]
    UnknownArch { line: u64, arch: String, space: String, reason: String },
}

fn header_remedy(found: &[String]) -> &'static str {
    match found {
        [only] if only.contains([';', '\t']) => "separate the columns by commas, not by semicolons or tabs",
        _ => "add or rename the column",
    }
}

fn quoted(names: &[String]) -> String {
    quote(&names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", "))
}
