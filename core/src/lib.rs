//! Search spaces, sharing strategies, controllers and the one training loop that compares them.

pub mod arch;
pub mod controller;
pub mod data;
pub mod metrics;
pub mod network;
pub mod optimizer;
pub mod options;
pub mod registry;
pub mod space;
pub mod state;
pub mod strategy;
pub mod streams;
pub mod truth;
