//! Why a metric has no value.

use thiserror::Error;

/// Why a metric is not defined for its input.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MetricError {
    /// Two series that describe the same items differ in length.
    #[error("expected {expected} values, one for each {item}, found {found}")]
    Length {
        /// What one value belongs to.
        item: &'static str,
        /// The number of items.
        expected: usize,
        /// The number of values given.
        found: usize,
    },
    /// There are too few items.
    #[error("expected at least {needed} values, found {found}")]
    TooFew {
        /// The smallest number for which the metric is defined.
        needed: usize,
        /// The number of values given.
        found: usize,
    },
    /// All values of a series are equal, so there is nothing to correlate.
    #[error("all {n} values of one ranking are equal, so their correlation with anything is not defined")]
    Constant {
        /// The number of values.
        n: usize,
    },
    /// A value is NaN, or infinite where only finite values make sense.
    #[error("value {index} is {value}: expected a finite number (did the run diverge?)")]
    NotFinite {
        /// The position of the value, from 0.
        index: usize,
        /// The value as printed.
        value: String,
    },
    /// A percentage outside of its range.
    #[error("the top share is {found} percent: expected more than 0 and at most 100")]
    Percent {
        /// The value as printed.
        found: String,
    },
    /// An architecture does not fit the decisions of the space.
    #[error("decision {decision} has {choices} choices, numbered from 0, found choice {found}")]
    Choice {
        /// The decision, from 0.
        decision: usize,
        /// Its number of choices.
        choices: usize,
        /// The choice given.
        found: usize,
    },
    /// A disturbance matrix is not triangular.
    #[error(
        "row {row}, column {column}: expected {expected} (an architecture has no accuracy before its own training, and \
         one after each training from then on)"
    )]
    NotTriangular {
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
        /// What belongs there.
        expected: &'static str,
    },
}

/// Refuses series with values that are not finite.
pub(crate) fn finite(values: &[f64]) -> Result<(), MetricError> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(MetricError::NotFinite { index, value: values[index].to_string() }),
        None => Ok(()),
    }
}

/// Refuses two series that cannot be correlated: of unequal length, shorter than 2, or with values that are not finite.
pub(crate) fn comparable(x: &[f64], y: &[f64]) -> Result<(), MetricError> {
    same_length("architecture", x.len(), y.len())?;
    if x.len() < 2 {
        return Err(MetricError::TooFew { needed: 2, found: x.len() });
    }
    finite(x)?;
    finite(y)
}

/// Refuses `found` values for `expected` items.
pub(crate) fn same_length(item: &'static str, expected: usize, found: usize) -> Result<(), MetricError> {
    if expected == found { Ok(()) } else { Err(MetricError::Length { item, expected, found }) }
}
