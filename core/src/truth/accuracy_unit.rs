//! The unit of the accuracies of a CSV file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The unit of the accuracies of a CSV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccuracyUnit {
    /// From 0 to 100.
    Percent,
    /// From 0 to 1. The values are multiplied by 100.
    Fraction,
}

impl AccuracyUnit {
    /// The accuracy at which every image is classified correctly.
    pub(super) fn whole(self) -> f64 {
        match self {
            Self::Percent => 100.0,
            Self::Fraction => 1.0,
        }
    }

    /// The value of a field in percent.
    pub(super) fn percent(self, value: f64, field: &str) -> f64 {
        match self {
            Self::Percent => value,
            // Moving the decimal point of the text is exact: 0.724 becomes 72.4. A field with an exponent is
            // multiplied.
            Self::Fraction => format!("{field}e2").parse().unwrap_or(value * 100.0),
        }
    }
}
