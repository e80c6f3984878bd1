//! One list of all components: strategies, controllers, search spaces and data sets.

use crate::args::Kind;
use anyhow::Result;
use nas_core::data::descriptors;
use nas_core::registry::{ControllerDescriptor, SpaceDescriptor, StrategyDescriptor, all};
use nas_plugin_host::{Plugin, load, origin};
use std::path::PathBuf;

/// The description of a component, for `list` and `describe`.
#[derive(Debug, Clone, Copy)]
pub struct ListedComponent {
    /// Kind of the component.
    pub kind: Kind,
    /// Name on the command line.
    pub name: &'static str,
    /// One line of description.
    pub summary: &'static str,
    /// The paper of a strategy, controller or search space; for a data set, how to get its files.
    pub reference: &'static str,
    /// The plugin that contains the component; `None` for built-in ones.
    pub origin: Option<&'static Plugin>,
}

/// Loads plugins, so that their strategies are listed.
pub fn load_all(plugins: &[PathBuf]) -> Result<()> {
    plugins.iter().try_for_each(|file| load(file).map(|_| ()).map_err(Into::into))
}

impl Kind {
    /// All kinds, in the order in which `list` prints them.
    pub const ALL: [Self; 4] = [Self::Strategies, Self::Controllers, Self::Spaces, Self::Data];

    /// The name of one component of this kind.
    pub fn singular(self) -> &'static str {
        match self {
            Self::Strategies => "strategy",
            Self::Controllers => "controller",
            Self::Spaces => "space",
            Self::Data => "data",
        }
    }

    /// The components of this kind, sorted by name.
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
            Self::Data => described!(descriptors(), instructions),
        })
    }
}
