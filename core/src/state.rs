//! Saved state of a strategy, a controller or the optimizer.

use std::collections::BTreeMap;

/// A tensor on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row-major.
    pub values: Vec<f32>,
}

/// Everything that a component needs to go on where it stopped: tensors by name, and the rest as JSON.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Tensors by name.
    pub tensors: BTreeMap<String, HostTensor>,
    /// Counters, options and the like.
    pub values: serde_json::Map<String, serde_json::Value>,
}

/// State that does not fit the component that loads it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("saved state does not fit: expected {expected}, found {found}")]
pub struct StateError {
    /// What the component needs.
    pub expected: String,
    /// What the state holds.
    pub found: String,
}

impl State {
    /// The tensor `name` of this shape.
    ///
    /// # Errors
    /// No such tensor, or another shape.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<&HostTensor, StateError> {
        let fail = |found| StateError { expected: format!("tensor {name} of shape {shape:?}"), found };
        let tensor = self.tensors.get(name).ok_or_else(|| fail("none".into()))?;
        let size: usize = shape.iter().product();
        if tensor.shape != shape || tensor.values.len() != size {
            return Err(fail(format!("shape {:?} with {} values", tensor.shape, tensor.values.len())));
        }
        Ok(tensor)
    }

    /// The whole number `name`.
    ///
    /// # Errors
    /// No such value, or something else.
    pub fn count(&self, name: &str) -> Result<u64, StateError> {
        let fail = |found| StateError { expected: format!("whole number {name}"), found };
        let value = self.values.get(name).ok_or_else(|| fail("none".into()))?;
        value.as_u64().ok_or_else(|| fail(value.to_string()))
    }
}
