//! What there is to choose from: descriptors collected from every linked crate by `inventory`, and strategies that were
//! added while the program runs.

mod build_error;

pub use crate::controller::ControllerDescriptor;
pub use crate::space::SpaceDescriptor;
pub use crate::strategy::{StrategyBuilder, StrategyDescriptor};
pub use build_error::BuildError;

use crate::options::did_you_mean;
use nas_ops::Backend;
use std::sync::{PoisonError, RwLock};

/// Anything with a name.
pub trait Named: 'static {
    /// What it is, for messages.
    const KIND: &'static str;
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// Those that were added while the program runs.
    fn added() -> Vec<&'static Self> {
        Vec::new()
    }
}

macro_rules! named {
    ($($descriptor:ty = $kind:literal),*) => {$(
        impl Named for $descriptor {
            const KIND: &'static str = $kind;
            fn name(&self) -> &'static str {
                self.name
            }
        }
    )*};
}
named!(ControllerDescriptor = "controller", SpaceDescriptor = "space");

impl Named for StrategyDescriptor {
    const KIND: &'static str = "strategy";

    fn name(&self) -> &'static str {
        self.name
    }

    fn added() -> Vec<&'static Self> {
        ADDED.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

static ADDED: RwLock<Vec<&'static StrategyDescriptor>> = RwLock::new(Vec::new());

/// Adds strategies, all or none, for the rest of the process: those of a plugin.
///
/// # Errors
/// A name that is taken.
pub fn add_strategies(new: Vec<StrategyDescriptor>) -> Result<(), BuildError> {
    let mut added = ADDED.write().unwrap_or_else(PoisonError::into_inner);
    let linked = inventory::iter::<StrategyDescriptor>.into_iter().map(|d| d.name);
    let mut taken: Vec<&str> = linked.chain(added.iter().map(|d| d.name)).collect();
    for descriptor in &new {
        if taken.contains(&descriptor.name) {
            return Err(BuildError::Clash { kind: StrategyDescriptor::KIND, name: descriptor.name.into() });
        }
        taken.push(descriptor.name);
    }
    added.extend(new.into_iter().map(|descriptor| &*Box::leak(Box::new(descriptor))));
    Ok(())
}

/// All descriptors of one kind, sorted by name (`inventory` promises no order).
///
/// # Errors
/// Two of the same name.
pub fn all<T: Named + inventory::Collect>() -> Result<Vec<&'static T>, BuildError> {
    let mut found: Vec<&'static T> = inventory::iter::<T>.into_iter().chain(T::added()).collect();
    found.sort_by_key(|d| d.name());
    match found.windows(2).find(|pair| pair[0].name() == pair[1].name()) {
        Some(pair) => Err(BuildError::Clash { kind: T::KIND, name: pair[0].name().into() }),
        None => Ok(found),
    }
}

/// The descriptor of this name.
///
/// # Errors
/// No such name: the message holds the nearest one and all of them.
pub fn find<T: Named + inventory::Collect>(name: &str) -> Result<&'static T, BuildError> {
    let known = all::<T>()?;
    known.iter().find(|d| d.name() == name).copied().ok_or_else(|| BuildError::Unknown {
        kind: T::KIND,
        name: name.into(),
        hint: did_you_mean(name, known.iter().map(|d| d.name())),
        known: known.iter().map(|d| d.name()).collect::<Vec<_>>().join(", "),
    })
}

/// A device for which descriptors hold builders.
pub trait Target: Backend {
    /// The builder for this device.
    fn strategy_builder(descriptor: &StrategyDescriptor) -> StrategyBuilder<Self>;
}

impl Target for dfdx::tensor::Cpu {
    fn strategy_builder(descriptor: &StrategyDescriptor) -> StrategyBuilder<Self> {
        descriptor.cpu
    }
}

#[cfg(feature = "cuda")]
impl Target for dfdx::tensor::Cuda {
    fn strategy_builder(descriptor: &StrategyDescriptor) -> StrategyBuilder<Self> {
        descriptor.cuda
    }
}
