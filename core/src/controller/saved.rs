//! Lists of numbers in the saved state of a controller.

use crate::state::{State, StateError};
use serde_json::Value;

/// Stores whole numbers.
pub(super) fn put_counts(state: &mut State, name: &str, counts: impl IntoIterator<Item = u64>) {
    state.values.insert(name.into(), counts.into_iter().collect());
}

/// Stores real numbers as their bits. A resumed run must continue with the same bits, and JSON readers may round decimals.
pub(super) fn put_reals(state: &mut State, name: &str, reals: impl IntoIterator<Item = f64>) {
    put_counts(state, name, reals.into_iter().map(f64::to_bits));
}

/// Reads what [`put_counts`] stored.
pub(super) fn counts(state: &State, name: &str) -> Result<Vec<u64>, StateError> {
    let fail = |found: String| StateError { expected: format!("list of whole numbers {name}"), found };
    let value = state.values.get(name).ok_or_else(|| fail("none".into()))?;
    let list = value.as_array().and_then(|list| list.iter().map(Value::as_u64).collect());
    list.ok_or_else(|| fail(value.to_string()))
}

/// Reads what [`put_reals`] stored.
pub(super) fn reals(state: &State, name: &str) -> Result<Vec<f64>, StateError> {
    Ok(counts(state, name)?.into_iter().map(f64::from_bits).collect())
}
