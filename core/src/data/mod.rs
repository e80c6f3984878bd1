//! Data sets and the way from images in memory to batches.

mod augment;
mod batch;
mod dataset;
mod error;
mod loader;
mod normalise;
mod options;
mod split;

pub use augment::Augment;
pub use batch::{Batch, EvalBatches};
pub use dataset::{Dataset, ImageShape, Images};
pub use error::DataError;
pub use loader::{Epoch, Loader};
pub use normalise::Normalise;
pub use options::{DataOptions, SyntheticOptions};
pub use split::Split;
