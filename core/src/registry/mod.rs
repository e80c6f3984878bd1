//! The registry of strategies, controllers and search spaces.
//!
//! `inventory` collects the descriptors of all linked crates. Plugins add strategies at run time.

mod build_error;

pub use crate::controller::ControllerDescriptor;
pub use crate::space::SpaceDescriptor;
pub use crate::strategy::{StrategyBuilder, StrategyDescriptor};
pub use build_error::BuildError;

use crate::options::did_you_mean;
use nas_ops::Backend;
use std::sync::{PoisonError, RwLock};

/// A descriptor that can be found by name.
pub trait Named: 'static {
    /// Kind of the descriptor for messages: `strategy`, `controller` or `space`.
    const KIND: &'static str;
    /// Name on the command line.
    fn name(&self) -> &'static str;

    /// Descriptors that were added at run time.
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

/// Adds the strategies of a plugin until the end of the process.
///
/// # Errors
/// A name that another strategy has; no strategy is then added.
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

/// All descriptors of one kind, sorted by name, because `inventory` returns them in any order.
///
/// # Errors
/// Two descriptors with the same name.
pub fn all<T: Named + inventory::Collect>() -> Result<Vec<&'static T>, BuildError> {
    let mut found: Vec<&'static T> = inventory::iter::<T>.into_iter().chain(T::added()).collect();
    found.sort_by_key(|d| d.name());
    match found.windows(2).find(|pair| pair[0].name() == pair[1].name()) {
        Some(pair) => Err(BuildError::Clash { kind: T::KIND, name: pair[0].name().into() }),
        None => Ok(found),
    }
}

/// Finds the descriptor with this name.
///
/// # Errors
/// An unknown name; the message suggests the nearest name and lists all.
pub fn find<T: Named + inventory::Collect>(name: &str) -> Result<&'static T, BuildError> {
    let known = all::<T>()?;
    known.iter().find(|d| d.name() == name).copied().ok_or_else(|| BuildError::Unknown {
        kind: T::KIND,
        name: name.into(),
        hint: did_you_mean(name, known.iter().map(|d| d.name())),
        known: known.iter().map(|d| d.name()).collect::<Vec<_>>().join(", "),
    })
}

/// A device on which networks are trained: strategy descriptors have a builder for it.
pub trait TrainingDevice: Backend {
    /// The builder of the strategy for this device.
    fn strategy_builder(descriptor: &StrategyDescriptor) -> StrategyBuilder<Self>;
}

impl TrainingDevice for dfdx::tensor::Cpu {
    fn strategy_builder(descriptor: &StrategyDescriptor) -> StrategyBuilder<Self> {
        descriptor.cpu
    }
}

#[cfg(feature = "cuda")]
impl TrainingDevice for dfdx::tensor::Cuda {
    fn strategy_builder(descriptor: &StrategyDescriptor) -> StrategyBuilder<Self> {
        descriptor.cuda
    }
}
