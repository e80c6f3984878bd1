//! Data sets, from files to batches.
//!
//! [`load`] reads a data set. [`Split`] divides its images into training and validation. [`Normalise`] measures
//! mean and standard deviation of the training images. [`Loader`] and [`EvalBatches`] return batches `[n, h, w, c]`:
//!
//! ```
//! use std::sync::Arc;
//!
//! use nas_core::data::{DataError, DataOptions, EvalBatches, Loader, Normalise, Split, load};
//! use nas_core::streams::Streams;
//!
//! let options = DataOptions { limit_train: Some(128), ..DataOptions::default() };
//! let streams = Streams::new(0);
//! let dataset = Arc::new(load(&options.name, &options)?);
//! let split = Split::new(&dataset, &options, &mut streams.rng("split", 0))?;
//! let normalise = Normalise::fit(&dataset.train, &split.train);
//! let augment = options.augment(&dataset)?;
//!
//! let loader = Loader::new(dataset.clone(), &split.train, normalise.clone(), augment, 64, streams)?;
//! for batch in loader.epoch(0, 0)? {
//!     assert_eq!(batch?.shape, [64, 8, 8, 1]);
//! }
//! let validation = EvalBatches::new(&dataset.train, &split.valid, &normalise, 256)?;
//! let counts = validation.map(|batch| Ok(batch?.len())).collect::<Result<Vec<_>, DataError>>()?;
//! assert_eq!(counts.iter().sum::<usize>(), 1078);
//! # Ok::<(), DataError>(())
//! ```

mod augment;
mod batch;
mod cifar;
mod dataset;
mod digits;
mod error;
mod fingerprint;
mod folder;
mod idx;
mod images;
mod jitter;
mod loader;
mod normalise;
mod options;
mod registry;
mod split;
mod synthetic;
mod window;

pub use augment::Augment;
pub use batch::{Batch, EvalBatches};
pub use dataset::Dataset;
pub use error::DataError;
pub use images::{ImageShape, Images};
pub use jitter::ColourJitter;
pub use loader::{EpochBatches, Loader};
pub use normalise::Normalise;
pub use options::{Cache, DataOptions, IdxLayout, IdxOptions, Resize, SyntheticOptions};
pub use registry::{DatasetDescriptor, check, descriptors, find, load, load_until};
pub use split::Split;
