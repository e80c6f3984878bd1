//! The registry entry of a controller.

use super::{Controller, ControllerContext, ControllerError};
use toml::Table;

/// Builds a controller from its options.
pub type ControllerBuilder = fn(&Table, ControllerContext) -> Result<Box<dyn Controller>, ControllerError>;

/// A controller that can be selected by name.
pub struct ControllerDescriptor {
    /// Name for `--controller`.
    pub name: &'static str,
    /// Summary of one line for lists.
    pub summary: &'static str,
    /// Paper that introduced the controller.
    pub reference: &'static str,
    /// Returns the options with their defaults, as commented TOML.
    pub options: fn() -> String,
    /// Builds the controller.
    pub build: ControllerBuilder,
}
inventory::collect!(ControllerDescriptor);
