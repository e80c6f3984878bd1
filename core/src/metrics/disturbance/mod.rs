//! Performance disturbance: how far training other architectures moves what an architecture scores with shared weights.
//!
//! Four views, one a file:
//! - [`ProbeHistory`]: fixed probe architectures over epochs, the paper's figure 3 (interval 13 epochs);
//! - [`DisturbanceMatrix`]: architectures trained one after another, the paper's figure 1b;
//! - [`Immediate`]: one step on another architecture;
//! - [`Forgetting`]: from an architecture's own update to the end of the epoch.
//!
//! Low disturbance alone proves nothing: a supernet that has stopped learning has none. Print the mean accuracy beside it.

mod forgetting;
mod history;
mod immediate;
mod matrix;

pub use forgetting::Forgetting;
pub use history::{DEFAULT_INTERVAL, IntervalChange, ProbeHistory, RankStability};
pub use immediate::{Immediate, ImmediateSummary, Observation};
pub use matrix::{DisturbanceMatrix, MatrixSummary};
