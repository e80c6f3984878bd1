//! Plugins, good and bad, on real networks.
#![expect(clippy::unwrap_used, reason = "clippy takes only functions marked as tests for tests, not their helpers")]

// Links the built-in strategies, which register themselves.
use nas_strategies as _;

mod conform;
mod contract;
mod equal;
mod files;
mod helper;
mod misbehave;
mod state;
