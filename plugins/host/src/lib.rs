//! Loads strategies from shared libraries into the registry of nas-train.
//!
//! [`load`] opens a file, checks its tables, and adds its strategies to [`nas_core::registry`]. From then on they are
//! selected, configured and run like the built-in ones. An adapter implements the trait of a strategy with the
//! functions of the C interface [`nas_plugin_abi::ffi`].
//!
//! Libraries stay loaded until the process ends, because unloading Rust code is unsound.

pub mod conformance;
mod context;
mod elf;
mod error;
mod features;
mod handshake;
mod library;
mod model;
mod options;
mod plugin;
mod plugin_strategy;
pub mod template;
mod views;

pub use error::PluginError;
pub use plugin::{Plugin, ProvidedStrategy, load, loaded, origin, register_linked};
