//! Truth tables: stand-alone accuracies of architectures, with which rankings by shared weights are compared.
//!
//! | source | type |
//! |---|---|
//! | published benchmarks, part of the program (licences in `core/data/NOTICE-nasbench.txt`) | [`NASBENCH201`], [`NASBENCH_MACRO`] |
//! | tables made by `nas-train truth`, part of the program | [`MeasuredTable`] |
//! | CSV files | [`TruthTable::load`] |
//!
//! All accuracies are in percent. Those of a CSV file may be fractions in the file ([`AccuracyUnit`]).

mod accuracy_unit;
mod csv_file;
mod embedded;
mod error;
mod format;
mod measured;
mod settings_file;
mod table;
pub mod table_file;
#[cfg(test)]
mod tests;
mod text;

pub use accuracy_unit::AccuracyUnit;
pub use embedded::{BenchmarkTable, NASBENCH_MACRO, NASBENCH201};
pub use error::TruthError;
pub use format::{Column, Unit};
pub use measured::MeasuredTable;
pub use settings_file::data_fingerprint;
pub use table::{TruthEntry, TruthTable};
