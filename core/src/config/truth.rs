//! The section `[truth]`: comparison of shared-weight accuracies with a truth table.

use crate::options::shown;
use crate::truth::AccuracyUnit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use toml::Value;

/// Number of architectures that are compared with the truth table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TruthSamples {
    /// This many distinct random architectures.
    Some(usize),
    /// All architectures of the table.
    All,
}

impl TruthSamples {
    /// Reads a number or `all`.
    ///
    /// # Errors
    /// A message with the expected form for any other text.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            _ => text.parse().map(Self::Some).map_err(|_| "expected a whole number of at least 0, or `all`".into()),
        }
    }
}

impl fmt::Display for TruthSamples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Some(number) => number.fmt(f),
            Self::All => f.write_str("all"),
        }
    }
}

/// `[truth]`: comparison of the ranking by shared weights with the ranking by stand-alone training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TruthConfig {
    /// Number of distinct random architectures to compare, or `all`; 0 disables the comparison.
    #[serde(deserialize_with = "text_or_number")]
    pub samples: String,
    /// Truth table: a column of the table embedded for the space, a CSV file, or `auto`. `auto` takes the embedded
    /// table of stand-alone training on the run's data set; if there is none, the benchmark's test accuracy on this
    /// data set; if there is none either, the benchmark's test accuracy on CIFAR-10.
    pub table: String,
    /// Unit of the accuracies in a CSV file.
    pub unit: AccuracyUnit,
}

impl Default for TruthConfig {
    fn default() -> Self {
        Self { samples: "200".into(), table: "auto".into(), unit: AccuracyUnit::Percent }
    }
}

/// Reads a string, or a number as a string, so that `samples = 200` and `samples = "200"` are equal.
pub(super) fn text_or_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Integer(number) => Ok(number.to_string()),
        other => Err(serde::de::Error::custom(format!("expected a string or a whole number, found {}", shown(&other)))),
    }
}
