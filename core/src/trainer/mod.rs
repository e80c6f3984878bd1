//! The one training loop, which every strategy, controller and space goes through.

mod alone;
mod bench;
mod diverged;
mod epoch;
mod error;
mod evaluate;
mod evaluate_all;
mod images;
mod memory;
mod probes;
mod run;
mod search;
mod sequence;
mod session;
mod step;
mod trial;
mod truth;
mod watch;

#[cfg(test)]
mod evaluate_all_tests;
#[cfg(test)]
mod tests;

pub use alone::{Alone, AloneResult};
pub use bench::Timing;
pub use error::RunError;
pub use evaluate::{Evaluator, Weights};
pub use memory::{peak_rss_mb, reset_peak_rss};
pub use probes::Probes;
pub use sequence::Sequence;
pub use session::{Session, build_space};
pub use trial::StepCost;

use crate::arch::Arch;
use crate::truth::TruthTable;

/// The architectures that a run compares with the truth.
pub struct TruthPlan {
    table: TruthTable,
    archs: Vec<Arch>,
}
