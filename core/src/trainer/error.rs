//! Errors of runs and of stand-alone trainings.

use crate::checkpoint::CheckpointError;
use crate::config::ConfigError;
use crate::controller::ControllerError;
use crate::data::DataError;
use crate::metrics::MetricError;
use crate::network::NetworkError;
use crate::quote::number;
use crate::registry::BuildError;
use crate::space::ArchError;
use crate::state::StateError;
use crate::strategy::StrategyError;
use crate::truth::TruthError;
use nas_ops::OpError;

/// An error that keeps a run from starting or ends it.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RunError {
    /// A value of the configuration is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A component does not exist, or rejects its options.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The data set is missing, damaged or too small.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The space has no network at the configured scale. `image` is `[height, width, channels]`.
    #[error("space {space} at width {width} with {cells} cells on {image:?} images: {source}")]
    Network { space: String, width: usize, cells: usize, image: [usize; 3], source: Box<NetworkError> },
    /// The truth table cannot be read.
    #[error(transparent)]
    Truth(#[from] TruthError),
    /// An architecture does not belong to the space.
    #[error(transparent)]
    Arch(#[from] ArchError),
    /// The network of an architecture does not read the images.
    #[error(
        "architecture {arch} does not connect the images to the classifier, so it cannot learn: choose another one"
    )]
    Disconnected { arch: String },
    /// A strategy planned paths that cannot be trained.
    #[error("strategy {strategy} planned {problem}")]
    Plan { strategy: String, problem: String },
    /// A strategy trains other architectures than it draws, which a sequence does not allow.
    #[error(
        "strategy {strategy} plans architectures of its own, but a sequence trains given ones: use a strategy that \
         trains the architectures it draws, such as plain or ogd (--strategy)"
    )]
    OwnPlans { strategy: String },
    /// A strategy failed.
    #[error("strategy {strategy}: {source}")]
    Strategy { strategy: String, source: StrategyError },
    /// A controller failed to draw, learn, propose, save or load.
    #[error("controller {controller}: {source}")]
    Controller { controller: String, source: Box<ControllerError> },
    /// The initial weights of `train.init` cannot be read, or belong to another network.
    #[error(
        "the initial weights cannot be used; expected those of a run with the same space and its options, width, number \
         of cells, image size and classes"
    )]
    InitialWeights { source: CheckpointError },
    /// Saved weights cannot be read, or belong to another network.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Saved state does not fit the run.
    #[error(transparent)]
    State(#[from] StateError),
    /// A loss or gradient is infinite or NaN. `what` names it, `step` and `epoch` count from 0, `arch` is the
    /// architecture or the first of several, and `lr` is the learning rate of the step.
    #[error(
        "training diverged in step {step} (epoch {epoch}): {what} is not finite, architecture {arch}; \
         try a lower learning rate (--lr, now {}) or a smaller train.clip", number(*lr)
    )]
    Diverged { what: &'static str, step: u64, epoch: usize, arch: String, lr: f64 },
    /// A tensor operation failed.
    #[error(transparent)]
    Op(#[from] OpError),
    /// A figure is undefined for the measured values.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// An observer could not record an event.
    #[error("cannot record results: {0}")]
    Record(#[from] std::io::Error),
}
