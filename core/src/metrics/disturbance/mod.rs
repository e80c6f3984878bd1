//! Performance disturbance: the change of an architecture's shared-weight accuracy by training on other architectures.
//!
//! There are four measures:
//! - [`ProbeHistory`]: probe architectures over epochs (DINAS, figure 3, interval 13 epochs);
//! - [`DisturbanceMatrix`]: architectures trained one after another (DINAS, figure 1b);
//! - [`SingleStepSums`]: across one step on other architectures;
//! - [`ForgettingSums`]: from an architecture's own update to the end of the epoch.
//!
//! Low disturbance alone proves nothing, since a supernet that does not learn has none. Reports show the mean accuracy
//! beside it.

mod forgetting;
mod history;
mod matrix;
mod single_step;

pub use forgetting::ForgettingSums;
pub use history::{PerformanceDisturbance, ProbeHistory, RankStabilityEstimate};
pub use matrix::{DisturbanceMatrix, MatrixSummary};
pub use single_step::{SingleStepSummary, SingleStepSums};
