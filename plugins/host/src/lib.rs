//! Loads strategies from shared libraries into the registry of nas-train.
//!
//! [`load`] opens a file, checks all that can be checked about it, and adds its strategies to
//! [`nas_core::registry`]; from then on they are chosen, configured and run like the built-in ones.
//! An adapter carries the calls across the C interface of [`nas_plugin_abi::ffi`].
//!
//! Libraries stay loaded until the process ends: unloading Rust code is not sound.

pub mod conformance;
mod context;
mod error;
mod foreign;
mod handshake;
mod library;
mod model;
mod options;
mod plugin;
pub mod template;
mod views;

pub use error::PluginError;
pub use plugin::{Plugin, Provided, adopt, load, loaded, origin};
