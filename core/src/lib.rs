//! Search spaces, sharing strategies, controllers, and the training loop that compares them.
//!
//! `docs/design.md` describes the parts and lists the imports between the modules.

pub mod arch;
pub mod checkpoint;
pub mod config;
pub mod controller;
pub mod csv_lines;
pub mod data;
pub mod durable;
pub mod event;
pub mod figures;
pub mod metrics;
pub mod network;
pub mod optimizer;
pub mod options;
mod quote;
pub mod read_file;
pub mod registry;
pub mod result;
pub mod sha256;
pub mod space;
pub mod state;
pub mod strategy;
pub mod streams;
pub mod toml_text;
pub mod trainer;
pub mod truth;

pub use quote::{number, quote, quote_message, quote_start};
