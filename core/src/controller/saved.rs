//! Lists of real numbers in the saved state of a controller.

use crate::state::{State, StateError};

/// Stores real numbers as their bits, because JSON has no form for values that are not finite.
///
/// # Errors
/// None in practice: JSON can hold whole numbers.
pub(super) fn put_reals(state: &mut State, name: &str, reals: impl IntoIterator<Item = f64>) -> Result<(), StateError> {
    state.put(name, &reals.into_iter().map(f64::to_bits).collect::<Vec<_>>())
}

/// Reads what [`put_reals`] stored.
///
/// # Errors
/// No such list.
pub(super) fn reals(state: &State, name: &str) -> Result<Vec<f64>, StateError> {
    Ok(state.get::<Vec<u64>>(name)?.into_iter().map(f64::from_bits).collect())
}
