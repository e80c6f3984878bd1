//! The registry entry of a search space.

use super::{Scale, SearchSpace};

/// A scale (width or number of cells) at which a space has no networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScaleError(pub String);

/// A search space that can be selected by name.
pub struct SpaceDescriptor {
    /// Name for `--space`.
    pub name: &'static str,
    /// Summary of one line for lists.
    pub summary: &'static str,
    /// Paper that introduced the space.
    pub reference: &'static str,
    /// Default number of channels after the stem.
    pub width: usize,
    /// Default number of cells; each space defines whether this counts cells per stage or in total.
    pub cells: usize,
    /// Builds the space at a scale.
    pub build: fn(Scale) -> Result<Box<dyn SearchSpace>, ScaleError>,
}
inventory::collect!(SpaceDescriptor);
