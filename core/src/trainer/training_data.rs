//! Training and validation images of a configuration.

use super::RunError;
use crate::config::{ConfigError, RunConfig, TrainImages};
use crate::data::{Dataset, Loader, Normalise, Split};
use crate::streams::Streams;
use std::sync::Arc;

/// The split of a data set's images, their normalisation, and the batches of the training images.
pub struct TrainingData {
    /// Positions of the training and validation images in the data set.
    pub split: Split,
    /// Means and deviations of the training images.
    pub normalise: Normalise,
    /// The training images in batches.
    pub loader: Loader,
}

impl TrainingData {
    /// Splits the images with the random stream `split`.
    ///
    /// # Errors
    /// Too few images, or options of the data set that are out of range.
    pub fn new(config: &RunConfig, dataset: &Arc<Dataset>, streams: Streams) -> Result<Self, RunError> {
        let split = Split::new(dataset, &config.data, &mut streams.rng("split", 0))?;
        Self::of_split(split, config, dataset, streams)
    }

    /// The images of a stand-alone training.
    ///
    /// # Errors
    /// As [`new`](Self::new), and no test images although all others are to be trained on.
    pub fn for_stand_alone(config: &RunConfig, dataset: &Arc<Dataset>, streams: Streams) -> Result<Self, RunError> {
        let all = match (config.retrain.images, &dataset.test) {
            (TrainImages::All, None) => {
                let expected = format!("auto or split: data set `{}` has no test images", dataset.name);
                return Err(ConfigError::Range { key: "retrain.images", expected, found: "all".into() }.into());
            }
            (TrainImages::All, Some(_)) => true,
            (TrainImages::Auto, test) => test.is_some(),
            (TrainImages::Split, _) => false,
        };
        if !all {
            return Self::new(config, dataset, streams);
        }
        let split = Split::all(dataset, &config.data, &mut streams.rng("split", 0))?;
        Self::of_split(split, config, dataset, streams)
    }

    fn of_split(split: Split, config: &RunConfig, dataset: &Arc<Dataset>, streams: Streams) -> Result<Self, RunError> {
        let normalise = Normalise::fit(&dataset.train, &split.train);
        let augment = config.data.augment(dataset)?;
        let batch_size = config.train.batch_size;
        let loader = Loader::new(dataset.clone(), &split.train, normalise.clone(), augment, batch_size, streams)?;
        Ok(Self { split, normalise, loader })
    }
}
