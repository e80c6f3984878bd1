//! Tests of the plugin host: valid and faulty plugins on small networks.
#![expect(clippy::unwrap_used, reason = "clippy exempts only functions marked as tests, not their helpers")]

// Links the built-in strategies, which register themselves.
use nas_strategies as _;

mod conform;
mod contract;
mod equal;
mod faulty;
mod files;
mod helper;
mod state;
