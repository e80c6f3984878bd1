//! The options of `table`.

use crate::published::PublishedTable;
use clap::{Args, ValueEnum, ValueHint};
use std::path::PathBuf;

/// Options of `table`.
#[derive(Debug, Clone, Args)]
pub struct TableArgs {
    /// The published table
    #[arg(value_enum)]
    pub table: PublishedTable,
    /// Directories of `nas-train retrain`; trainings that differ in their seeds only form one row
    #[arg(value_name = "RUN", value_hint = ValueHint::DirPath)]
    pub runs: Vec<PathBuf>,
    /// Output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = TableFormat::Text)]
    pub format: TableFormat,
}

/// Formats of a printed table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// Aligned columns
    Text,
    /// Comma-separated values, one number per field
    Csv,
    /// A table for Markdown documents
    Markdown,
}
