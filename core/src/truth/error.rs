//! Why a truth table cannot be had.

use std::path::PathBuf;

use thiserror::Error;

/// Why a truth table cannot be read, or does not hold what was asked for.
#[derive(Debug, Error)]
pub enum TruthError {
    /// An embedded table has no such column.
    #[error("table {table} has no column '{found}'{}; its columns are {}", hint(.near), .columns.join(", "))]
    UnknownColumn {
        /// The table.
        table: &'static str,
        /// The column asked for.
        found: String,
        /// The column with the most similar name.
        near: Option<String>,
        /// All columns.
        columns: Vec<String>,
    },
    /// The column exists but does not hold accuracies.
    #[error(
        "column '{column}' of table {table} does not hold accuracies in percent, so it cannot be the truth; choose one of {}",
        .accuracies.join(", ")
    )]
    NotAccuracy {
        /// The table.
        table: &'static str,
        /// The column asked for.
        column: String,
        /// The columns that do.
        accuracies: Vec<String>,
    },
    /// An embedded table has no such row.
    #[error("table {table} has {rows} architectures, numbered from 0, found index {index}")]
    UnknownIndex {
        /// The table.
        table: &'static str,
        /// Its number of architectures.
        rows: usize,
        /// The index asked for.
        index: usize,
    },
    /// The file cannot be read at all.
    #[error("cannot read the truth table {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file can be read but is not a truth table.
    #[error("truth table {}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: Box<TruthError>,
    },
    /// There is no row.
    #[error(
        "the table is empty: expected a header 'arch,accuracy' or 'arch,seed,accuracy' and a row for each architecture"
    )]
    Empty,
    /// The header lacks a column.
    #[error("line {line}: expected a header with a column '{column}', found {}; add or rename the column", quoted(.found))]
    MissingColumn {
        /// The line of the header.
        line: u64,
        /// The column that is missing.
        column: &'static str,
        /// The columns that are there.
        found: Vec<String>,
    },
    /// It is the `archs.csv` of a run.
    #[error(
        "these are evaluations with shared weights (`archs.csv` of a run), not stand-alone accuracies; give a table of `nas-train truth`"
    )]
    SharedWeights,
    /// The header names a column twice.
    #[error("line {line}: the header names the column '{column}' twice; rename or remove one of them")]
    RepeatedColumn {
        /// The line of the header.
        line: u64,
        /// The column.
        column: &'static str,
    },
    /// A row has more or fewer fields than the header.
    #[error(
        "line {line}: expected {expected} fields as in the header, found {found}; put double quotes around a field that \
         contains a comma"
    )]
    Fields {
        /// The line.
        line: u64,
        /// The number of columns.
        expected: u64,
        /// The number of fields.
        found: u64,
    },
    /// The file is not UTF-8 text.
    #[error("line {line}: found bytes that are not UTF-8; save the file as UTF-8 text")]
    NotText {
        /// The line.
        line: u64,
    },
    /// The CSV reader gave up for another reason.
    #[error("cannot read the rows")]
    Csv(#[source] csv::Error),
    /// A field that should be a number is not.
    #[error("line {line}: expected {expected} in column '{column}', found '{found}'")]
    NotANumber {
        /// The line.
        line: u64,
        /// The column.
        column: &'static str,
        /// The kind of number.
        expected: &'static str,
        /// The field.
        found: String,
    },
    /// An accuracy is not a percentage.
    #[error("line {line}: expected an accuracy in percent, from 0 to 100, found {found}; correct or remove the row")]
    OutOfRange {
        /// The line.
        line: u64,
        /// The field.
        found: String,
    },
    /// An architecture was measured twice with one seed.
    #[error(
        "line {line}: architecture {arch}{} is already in line {first}; remove one of the rows or give them different \
         seeds in a column 'seed'",
        .seed.map(|seed| format!(" with seed {seed}")).unwrap_or_default()
    )]
    Duplicate {
        /// The line.
        line: u64,
        /// The line of the first row.
        first: u64,
        /// The architecture.
        arch: String,
        /// Its seed, where the table has seeds.
        seed: Option<u64>,
    },
    /// The text is not an architecture of the space.
    #[error("line {line}: '{arch}' is not an architecture of space {space}: {reason}")]
    UnknownArch {
        /// The line.
        line: u64,
        /// The text.
        arch: String,
        /// The space.
        space: String,
        /// Why.
        reason: String,
    },
}

fn hint(near: &Option<String>) -> String {
    near.as_ref().map(|name| format!(" (did you mean '{name}'?)")).unwrap_or_default()
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}
