//! The registry entry of a sharing strategy.

use super::{SharingStrategy, StrategyContext, StrategyError};
use toml::Table;

/// Builds a strategy for a device from its options.
pub type StrategyBuilder<D> =
    &'static (dyn Fn(&Table, StrategyContext<D>) -> Result<Box<dyn SharingStrategy<D>>, StrategyError> + Sync);

/// A sharing strategy that can be selected by name.
pub struct StrategyDescriptor {
    /// Name for `--strategy`.
    pub name: &'static str,
    /// Summary of one line for lists.
    pub summary: &'static str,
    /// Paper that introduced the strategy.
    pub reference: &'static str,
    /// Returns the options with their defaults, as commented TOML.
    pub options: &'static (dyn Fn() -> String + Sync),
    /// Builds the strategy for the CPU.
    pub cpu: StrategyBuilder<dfdx::tensor::Cpu>,
    /// Builds the strategy for a CUDA device.
    #[cfg(feature = "cuda")]
    pub cuda: StrategyBuilder<dfdx::tensor::Cuda>,
}
inventory::collect!(StrategyDescriptor);
