//! Ground truth: the accuracy of architectures trained alone, against which a shared-weight ranking is judged.
//!
//! Two published benchmarks are embedded ([`NASBENCH201`], [`NASBENCH_MACRO`]; licences in
//! `core/data/NOTICE-nasbench.txt`), and what `nas-train truth` measured ([`StandAlone`]); any other table is read from CSV ([`TruthTable::load`]). Accuracies are in percent.

mod baseline;
mod csv_file;
mod embedded;
mod error;
mod format;
mod stand_alone;
mod table;
mod text;

pub use embedded::{EmbeddedTable, NASBENCH_MACRO, NASBENCH201};
pub use error::TruthError;
pub use format::{Column, Unit};
pub use stand_alone::StandAlone;
pub use table::{TruthEntry, TruthTable};
