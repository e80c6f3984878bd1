//! Comparison of shared-weight accuracies with a truth table.

use serde::{Deserialize, Serialize};

/// Agreement between shared-weight accuracy and stand-alone accuracy over the compared architectures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Name of the truth table: `TABLE/COLUMN` for an embedded one, else the path of the file.
    pub table: String,
    /// SHA-256 of the bytes of the table.
    pub sha256: String,
    /// Number of compared architectures.
    pub n: usize,
    /// GT-tau: Kendall's tau-b between the two accuracies; `None` where either is constant.
    pub gt_tau: Option<f64>,
    /// Lower end of the 95% bootstrap interval of GT-tau; needs at least ten architectures, and at most 2.5% of the
    /// resamples without a tau.
    pub gt_tau_lo: Option<f64>,
    /// Upper end of the same interval.
    pub gt_tau_hi: Option<f64>,
    /// Spearman correlation of the two accuracies.
    pub spearman: Option<f64>,
    /// GT-tau among the truly best 10%, where those are at least ten architectures.
    pub gt_tau_top10: Option<f64>,
    /// Number of architectures among the truly best 10%, ties at the limit included.
    pub n_top10: usize,
    /// GT-tau among the truly best 50%, where those are at least ten architectures.
    pub gt_tau_top50: Option<f64>,
    /// Number of architectures among the truly best 50%, ties at the limit included.
    pub n_top50: usize,
    /// Fraction of the predicted best 5% that belongs to the truly best 5%.
    pub precision_at_5: Option<f64>,
    /// True accuracy of the compared architecture with the highest shared-weight accuracy, in percent. Of several with
    /// the same shared-weight accuracy, the one with the lowest true accuracy counts.
    pub predicted_best: Option<f64>,
    /// Highest accuracy of the whole table minus `predicted_best`, in percentage points.
    pub regret: Option<f64>,
    /// Kendall's tau-b of predictors that need no training.
    pub baselines: Baselines,
}

/// Kendall's tau-b between the cost of an architecture and its true accuracy, over the compared architectures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baselines {
    /// Tau of the number of parameters.
    pub params: Option<f64>,
    /// Tau of the number of multiply-adds.
    pub macs: Option<f64>,
}
