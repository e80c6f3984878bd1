//! Data sets, from files to batches.
//!
//! [`load`] reads a data set into memory. [`Split`] divides its images into training and validation. [`Normalise`] measures
//! mean and standard deviation of the training images. [`Loader`] and [`EvalBatches`] return batches `[n, h, w, c]`:
//!
//! ```
//! use std::sync::Arc;
//!
//! use nas_core::data::{DataOptions, EvalBatches, Loader, Normalise, Split, load};
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
//! assert_eq!(validation.map(|batch| batch.len()).sum::<usize>(), 1078);
//! # Ok::<(), nas_core::data::DataError>(())
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
mod loader;
mod normalise;
mod options;
mod registry;
mod split;
mod synthetic;

pub use augment::Augment;
pub use batch::{Batch, EvalBatches};
pub use dataset::{Dataset, ImageShape, Images};
pub use error::DataError;
pub use loader::{Epoch, Loader};
pub use normalise::Normalise;
pub use options::{DataOptions, IdxLayout, IdxOptions, SyntheticOptions};
pub use registry::{DatasetDescriptor, descriptors, find, load, load_until};
pub use split::Split;
