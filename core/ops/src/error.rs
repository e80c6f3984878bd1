//! Errors of operations.

/// An error of an operation: arguments that do not match each other, or a device that lacks a feature or fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpError {
    /// Shapes or parameters that do not match each other.
    #[error("{op}: expected {expected}, found {found}")]
    Shape {
        /// Name of the operation.
        op: &'static str,
        /// The shape or parameter that the operation requires.
        expected: String,
        /// The shape or parameter that was passed.
        found: String,
    },
    /// The device lacks a feature.
    #[error("{feature}: expected {expected}, found {found}")]
    Unsupported {
        /// Name of the feature.
        feature: &'static str,
        /// The devices that have the feature.
        expected: String,
        /// The device in use.
        found: String,
    },
    /// The device reported an error, for instance exhausted memory.
    #[error("{op}: the device failed: {message}")]
    Device {
        /// Name of the operation.
        op: &'static str,
        /// The error of the device, as it prints for debugging.
        message: String,
    },
}

impl OpError {
    /// Converts an error of the device; for `map_err`.
    pub fn device<E: std::fmt::Debug>(op: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::Device { op, message: format!("{error:?}") }
    }
}
