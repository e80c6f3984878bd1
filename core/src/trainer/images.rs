//! The training part of a data set, as every training reads it.

use super::RunError;
use crate::config::RunConfig;
use crate::data::{Dataset, Loader, Normalise, Split};
use crate::streams::Streams;
use std::sync::Arc;

/// Which images train and which validate, and how they are read.
pub(super) struct TrainImages {
    pub(super) split: Split,
    pub(super) normalise: Normalise,
    pub(super) loader: Loader,
}

impl TrainImages {
    /// Splits the images by the stream `split`, and normalises by those that train.
    pub(super) fn new(config: &RunConfig, dataset: &Arc<Dataset>, streams: Streams) -> Result<Self, RunError> {
        let split = Split::new(dataset.train.labels(), &config.data, &mut streams.rng("split", 0))?;
        let normalise = Normalise::fit(&dataset.train, &split.train);
        let augment = config.data.augment(dataset)?;
        let batch_size = config.train.batch_size;
        let loader = Loader::new(dataset.clone(), &split.train, normalise.clone(), augment, batch_size, streams)?;
        Ok(Self { split, normalise, loader })
    }
}
