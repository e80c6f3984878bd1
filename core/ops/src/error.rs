//! What can go wrong in an operation.

/// An operation got tensors that do not fit together, or the device failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpError {
    /// Shapes or parameters that do not fit together.
    #[error("{op}: expected {expected}, found {found}")]
    Shape {
        /// The operation.
        op: &'static str,
        /// What it needs.
        expected: String,
        /// What it got.
        found: String,
    },
    /// The device reported an error, for instance that its memory is exhausted.
    #[error("{op}: the device failed: {message}")]
    Device {
        /// The operation.
        op: &'static str,
        /// The device's own words.
        message: String,
    },
}

impl OpError {
    /// Wraps an error of the device, for `map_err`.
    pub fn device<E: std::fmt::Debug>(op: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::Device { op, message: format!("{error:?}") }
    }
}
