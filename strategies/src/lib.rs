//! The built-in weight-sharing strategies.
