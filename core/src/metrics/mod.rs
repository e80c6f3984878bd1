//! What a run is judged by: rank correlation with the truth, disturbance, fairness, and their spread over seeds.
//!
//! Accuracies are in percent everywhere. A figure that is not defined for its input (one item, a constant ranking, too
//! few epochs) is an error or `None`, never `NaN` and never a panic.

mod bootstrap;
mod crossed;
pub mod disturbance;
mod error;
mod fairness;
mod kendall;
mod paired;
mod ranking;
mod spearman;
mod summary;
mod tau;

pub use bootstrap::{DEFAULT_RESAMPLES, Interval, percentile_interval};
pub use crossed::crossed_interval;
pub use error::MetricError;
pub use fairness::{FairnessAudit, FairnessSummary};
pub use kendall::kendall_tau;
pub use paired::{PairedDifference, chance_of_equal_signs, paired_difference};
pub use ranking::{DEFAULT_TOP_PERCENT, RankingOptions, RankingReport, SubsetTau, rank_quality};
pub use spearman::spearman;
pub use summary::Summary;
pub use tau::{TauEstimate, tau_with_interval};

#[cfg(test)]
mod test_data;
