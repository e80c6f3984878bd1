//! Performance disturbance: how far training other architectures moves what an architecture scores with shared weights.
//!
//! Four views, one a file:
//! - [`ProbeHistory`]: fixed probe architectures over epochs, the paper's figure 3 (interval 13 epochs);
//! - [`DisturbanceMatrix`]: architectures trained one after another, the paper's figure 1b;
//! - [`SingleStepDisturbance`]: one step on another architecture;
//! - [`Forgetting`]: from an architecture's own update to the end of the epoch.
//!
//! Low disturbance alone proves nothing: a supernet that has stopped learning has none. Print the mean accuracy beside it.

mod forgetting;
mod history;
mod matrix;
mod single_step;

pub use forgetting::Forgetting;
pub use history::{DEFAULT_INTERVAL, IntervalChange, ProbeHistory, RankStability};
pub use matrix::{DisturbanceMatrix, MatrixSummary};
pub use single_step::{Observation, SingleStepDisturbance, SingleStepSummary};
