//! All components, whatever their kind, as one list.

use crate::args::Kind;
use anyhow::Result;
use nas_core::data::descriptors;
use nas_core::registry::{ControllerDescriptor, SpaceDescriptor, StrategyDescriptor, all};
use nas_plugin_host::{Plugin, load, origin};
use std::path::PathBuf;

/// What every component tells of itself.
#[derive(Debug, Clone, Copy)]
pub struct ListedComponent {
    /// Its kind.
    pub kind: Kind,
    /// Its name on the command line.
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// The paper it comes from; for data, how to get it.
    pub reference: &'static str,
    /// The plugin that it was loaded from, if it was.
    pub origin: Option<&'static Plugin>,
}

/// Loads plugins, so that their strategies are listed too.
pub fn load_all(plugins: &[PathBuf]) -> Result<()> {
    plugins.iter().try_for_each(|file| load(file).map(|_| ()).map_err(Into::into))
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Strategies, Self::Controllers, Self::Spaces, Self::Data];

    /// One component of this kind.
    pub fn singular(self) -> &'static str {
        match self {
            Self::Strategies => "strategy",
            Self::Controllers => "controller",
            Self::Spaces => "space",
            Self::Data => "data",
        }
    }

    /// Its components, sorted by name.
    pub fn components(self) -> Result<Vec<ListedComponent>> {
        macro_rules! described {
            ($found:expr, $reference:ident) => {
                described!($found, $reference, |_| None)
            };
            ($found:expr, $reference:ident, $origin:expr) => {
                $found
                    .iter()
                    .map(|d| ListedComponent {
                        kind: self,
                        name: d.name,
                        summary: d.summary,
                        reference: d.$reference,
                        origin: $origin(d.name),
                    })
                    .collect()
            };
        }
        Ok(match self {
            Self::Strategies => described!(all::<StrategyDescriptor>()?, reference, origin),
            Self::Controllers => described!(all::<ControllerDescriptor>()?, reference),
            Self::Spaces => described!(all::<SpaceDescriptor>()?, reference),
            Self::Data => described!(descriptors(), source),
        })
    }
}
