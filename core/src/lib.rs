//! Search spaces, sharing strategies, controllers and the one training loop that compares them.

pub mod data;
pub mod metrics;
pub mod truth;
