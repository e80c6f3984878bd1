//! The one training loop, which every strategy, controller and space goes through.

mod error;
mod evaluate;
mod evaluate_all;
mod memory;
mod probes;
mod run;
mod search;
mod session;
mod step;
mod truth;

pub use error::RunError;
pub use evaluate::{Evaluator, Weights};
pub use memory::peak_rss_mb;
pub use probes::Probes;
pub use session::Session;

use crate::arch::Arch;
use crate::truth::TruthTable;

/// The architectures that a run compares with the truth.
pub struct TruthPlan {
    table: TruthTable,
    archs: Vec<Arch>,
}
