//! Why a run stopped.

use crate::config::ConfigError;
use crate::controller::ControllerError;
use crate::data::DataError;
use crate::metrics::MetricError;
use crate::network::WireError;
use crate::registry::BuildError;
use crate::space::ArchError;
use crate::strategy::StrategyError;
use crate::truth::TruthError;
use nas_ops::OpError;

/// Why a run could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A value of the configuration out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An unknown component, or options that it refuses.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A network that cannot be built at the configured scale.
    #[error("space {space} at width {width} with {cells} cells on {image:?} images: {source}")]
    Wire {
        /// The space.
        space: String,
        /// Channels after the stem.
        width: usize,
        /// Cells.
        cells: usize,
        /// Height, width and channels.
        image: [usize; 3],
        /// What does not fit.
        source: Box<WireError>,
    },
    /// A truth table.
    #[error(transparent)]
    Truth(#[from] TruthError),
    /// An architecture outside the space.
    #[error(transparent)]
    Arch(#[from] ArchError),
    /// A strategy planned what cannot be trained.
    #[error("strategy {strategy} planned {problem}")]
    Plan {
        /// The strategy.
        strategy: String,
        /// What is wrong with the plan.
        problem: String,
    },
    /// A strategy that cannot train architectures one after another.
    #[error(
        "strategy {strategy} plans architectures of its own: training one after another takes one that trains what is \
         drawn, such as plain or ogd (--strategy)"
    )]
    OwnPlans {
        /// The strategy.
        strategy: String,
    },
    /// A strategy gave up.
    #[error("strategy {strategy}: {source}")]
    Strategy {
        /// The strategy.
        strategy: String,
        /// Why.
        source: StrategyError,
    },
    /// A controller gave up.
    #[error(transparent)]
    Controller(#[from] ControllerError),
    /// Loss, gradients or weights are no longer numbers.
    #[error(
        "training diverged in step {step} (epoch {epoch}): {what} is not finite, architecture {arch}; \
         try a lower learning rate (--lr, now {lr}) or a smaller train.clip"
    )]
    Diverged {
        /// Loss, gradient norm or weights.
        what: &'static str,
        /// Number of the step, from 0.
        step: u64,
        /// Its epoch, from 0.
        epoch: usize,
        /// The architecture, or the first of several.
        arch: String,
        /// Learning rate of the step.
        lr: f64,
    },
    /// A tensor operation.
    #[error(transparent)]
    Op(#[from] OpError),
    /// A figure that could not be computed.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// An observer could not record an event.
    #[error("cannot record results: {0}")]
    Record(#[from] std::io::Error),
}
