//! The registry entry of a search space.

use super::{Scale, SearchSpace};
use crate::options::{OptionsError, did_you_mean};
use toml::Table;

/// Keys of section `[space]` that every space has.
const COMMON: [&str; 3] = ["cells", "name", "width"];

/// Failure to build a space.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpaceError {
    /// A number of cells for which the space has no networks.
    #[error("{0}")]
    Cells(String),
    /// Options that the space does not have, or values of the wrong type.
    #[error(transparent)]
    Options(#[from] OptionsError),
}

/// Builds a space at a scale with its options, whose names have been checked.
pub type SpaceBuilder = fn(Scale, &Table) -> Result<Box<dyn SearchSpace>, SpaceError>;

/// A search space that can be selected by name.
pub struct SpaceDescriptor {
    /// Name for `--space`.
    pub name: &'static str,
    /// Summary of one line for lists.
    pub summary: &'static str,
    /// Paper that introduced the space.
    pub reference: &'static str,
    /// Default of [`Scale::width`](super::Scale::width).
    pub width: usize,
    /// Default number of cells; each space defines whether this counts cells per stage or in total.
    pub cells: usize,
    /// Options of the space with their defaults and meanings, as TOML; see [`example`](crate::options::example). Empty
    /// for spaces without options.
    pub options: fn() -> String,
    /// Builds the space.
    pub build: SpaceBuilder,
}
inventory::collect!(SpaceDescriptor);

impl SpaceDescriptor {
    /// Checks that the space has all these options.
    ///
    /// # Errors
    /// An unknown name; the message suggests the nearest key of section `[space]` and lists all.
    pub fn check_options(&self, options: &Table) -> Result<(), SpaceError> {
        let own: Table = (self.options)().parse().unwrap_or_default();
        let Some(key) = options.keys().find(|key| !own.contains_key(*key)) else { return Ok(()) };
        let mut known: Vec<&str> = COMMON.into_iter().chain(own.keys().map(String::as_str)).collect();
        known.sort_unstable();
        let hint = did_you_mean(key, known.iter().copied());
        Err(OptionsError::Unknown { section: "space".into(), key: key.clone(), hint, known: known.join(", ") }.into())
    }
}
