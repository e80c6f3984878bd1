//! Metrics of a run: rank correlation with the truth table, performance disturbance, fairness, and statistics over
//! seeds.
//!
//! Accuracies are in percent. A metric that is not defined for its input (a single item, a constant ranking, too few
//! epochs) is an error or `None`. It is never `NaN`, and no metric panics.

mod bootstrap;
mod crossed;
pub mod disturbance;
mod error;
mod evaluation;
mod fairness;
mod kendall;
mod mean;
mod paired;
mod ranking;
mod spearman;
mod summary;
mod tau;

pub use bootstrap::{ConfidenceInterval, DEFAULT_RESAMPLES, percentile_interval};
pub use crossed::crossed_interval;
pub use error::MetricError;
pub use evaluation::Evaluation;
pub use fairness::{FairnessAudit, FairnessSummary};
pub use kendall::kendall_tau;
pub use mean::mean;
pub use paired::{PairedDifference, paired_difference, smallest_sign_flip_p};
pub use ranking::{DEFAULT_TOP_PERCENT, RankingOptions, RankingReport, SubsetTau, rank_quality};
pub use spearman::spearman;
pub use summary::Summary;
pub use tau::{TauEstimate, tau_with_interval};

#[cfg(test)]
mod tests;
