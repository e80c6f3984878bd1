//! The program as a user runs it.
#![expect(clippy::unwrap_used, reason = "clippy takes only functions marked as tests for tests, not their helpers")]

mod data_errors;
mod helper;
mod inspect;
mod layers;
mod plugins;
mod repeat;
mod results;
mod stops;
mod usage_errors;
