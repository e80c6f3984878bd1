//! Reading the data set of a command, with messages for the user.

use crate::settings::Settings;
use crate::text::eprint_line;
use anyhow::Result;
use nas_core::data::{Dataset, load_until};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A data set in memory.
#[derive(Debug, Clone)]
pub struct LoadedData {
    /// Images and labels.
    pub dataset: Arc<Dataset>,
    /// What the files of a run state about the data.
    pub identity: DataIdentity,
}

/// The identity of a data set, as `manifest.json` has it under `data`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataIdentity {
    /// Name of the data set.
    pub name: String,
    /// SHA-256 of the content; see [`Dataset::fingerprint`].
    pub fingerprint: String,
    /// Number of classes.
    pub classes: usize,
    /// Height, width and channels of an image.
    pub shape: [usize; 3],
    /// Number of training and validation images.
    pub images: usize,
    /// Number of test images; none without a test part.
    pub test_images: Option<usize>,
}

impl LoadedData {
    /// Reads the data set of a configuration. Prints what was read by `print`, and a warning for files that were not
    /// read.
    ///
    /// # Errors
    /// The data set is unknown, missing or damaged, it has another fingerprint than the configuration requires, or
    /// `cancel` became true.
    pub fn read(settings: &Settings, cancel: &AtomicBool, print: impl FnOnce(&str)) -> Result<Self> {
        let config = &settings.config.data;
        let dataset = load_until(&config.name, config, cancel).map_err(|error| settings.explain(error.into()))?;
        print(&format!("data set {}: {}", dataset.name, dataset.summary()));
        dataset.notes.iter().for_each(|note| eprint_line(&format!("warning: {note}")));
        let shape = dataset.shape();
        let identity = DataIdentity {
            name: dataset.name.into(),
            fingerprint: dataset.fingerprint(),
            classes: dataset.classes.len(),
            shape: [shape.height, shape.width, shape.channels],
            images: dataset.train.len(),
            test_images: dataset.test.as_ref().map(|test| test.len()),
        };
        Ok(Self { dataset: Arc::new(dataset), identity })
    }
}

impl DataIdentity {
    /// The identity in a manifest or a checkpoint; none in one of an earlier version.
    pub fn of(recorded: &Value) -> Option<Self> {
        serde_json::from_value(recorded["data"].clone()).ok()
    }

    /// `data set (OLD, now NEW)`, if the recorded data set differs from this one.
    pub fn difference(&self, recorded: &Value) -> Option<String> {
        let old = Self::of(recorded);
        (old.as_ref() != Some(self)).then(|| {
            let old = old.map_or("without a fingerprint".into(), |old| old.to_string());
            format!("data set ({old}, now {self})")
        })
    }
}

impl fmt::Display for DataIdentity {
    /// The name, the number of images and the start of the fingerprint, which tells the data sets of one folder apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, fingerprint, images, .. } = self;
        write!(f, "{name} with {images} images and the fingerprint {:.12}", fingerprint)
    }
}
