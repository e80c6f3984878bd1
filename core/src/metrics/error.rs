//! Errors of metrics.

use thiserror::Error;

use crate::quote::number;

/// Input for which a metric is not defined.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MetricError {
    /// Series of unequal length that describe the same items.
    #[error("expected {expected} values, one for each {item}, found {found}")]
    Length {
        /// Kind of the items, for example `architecture`.
        item: &'static str,
        /// Number of items.
        expected: usize,
        /// Number of values given.
        found: usize,
    },
    /// Too few items.
    #[error("expected at least {needed} values, found {found}")]
    TooFew {
        /// Smallest number of items for which the metric is defined.
        needed: usize,
        /// Number of values given.
        found: usize,
    },
    /// A series of equal values, whose correlation is 0/0.
    #[error("all {n} values of one ranking are equal, so their correlation with anything is not defined")]
    Constant {
        /// Number of values.
        n: usize,
    },
    /// A value that is NaN or infinite.
    #[error("value {index} is {value}: expected a finite number (did the run diverge?)")]
    NotFinite {
        /// Position of the value, from 0.
        index: usize,
        /// Value as text.
        value: String,
    },
    /// A percentage outside `0 < k <= 100`.
    #[error("the top share is {found} percent: expected more than 0 and at most 100")]
    Percent {
        /// Value as text.
        found: String,
    },
    /// A choice that its decision does not have.
    #[error("decision {decision} has {choices} choices, numbered from 0, found choice {found}")]
    Choice {
        /// Number of the decision, from 0.
        decision: usize,
        /// Number of choices of the decision.
        choices: usize,
        /// Choice that was given, from 0.
        found: usize,
    },
}

/// Returns an error for the first value that is not finite.
pub(crate) fn finite(values: &[f64]) -> Result<(), MetricError> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(MetricError::NotFinite { index, value: number(values[index]) }),
        None => Ok(()),
    }
}

/// Returns an error for two series that cannot be correlated: of unequal length, shorter than 2, or not finite.
pub(crate) fn comparable(x: &[f64], y: &[f64]) -> Result<(), MetricError> {
    same_length("architecture", x.len(), y.len())?;
    if x.len() < 2 {
        return Err(MetricError::TooFew { needed: 2, found: x.len() });
    }
    finite(x)?;
    finite(y)
}

/// Returns an error unless there is one value for each item.
pub(crate) fn same_length(item: &'static str, expected: usize, found: usize) -> Result<(), MetricError> {
    if expected == found { Ok(()) } else { Err(MetricError::Length { item, expected, found }) }
}
