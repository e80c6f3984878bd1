//! All components, whatever their kind, as one list.

use crate::args::Kind;
use anyhow::Result;
use nas_core::data::descriptors;
use nas_core::registry::{ControllerDescriptor, SpaceDescriptor, StrategyDescriptor, all};

/// What every component tells of itself.
#[derive(Debug, Clone, Copy)]
pub struct Component {
    /// Its kind.
    pub kind: Kind,
    /// Its name on the command line.
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// The paper it comes from; for data, how to get it.
    pub reference: &'static str,
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
    pub fn components(self) -> Result<Vec<Component>> {
        macro_rules! described {
            ($found:expr, $reference:ident) => {
                $found
                    .iter()
                    .map(|d| Component { kind: self, name: d.name, summary: d.summary, reference: d.$reference })
                    .collect()
            };
        }
        Ok(match self {
            Self::Strategies => described!(all::<StrategyDescriptor>()?, reference),
            Self::Controllers => described!(all::<ControllerDescriptor>()?, reference),
            Self::Spaces => described!(all::<SpaceDescriptor>()?, reference),
            Self::Data => described!(descriptors(), source),
        })
    }
}
