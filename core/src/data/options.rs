//! The `[data]` section of a configuration.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Augment, DataError, Dataset};

/// Which data a run uses, how much of it, and how it is split and augmented.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataOptions {
    /// Data set; see `nas-train list data`. Default `digits`, which needs no files.
    pub name: String,
    /// The folder that holds the files, for data sets that are read from files; refused by the others.
    pub dir: Option<PathBuf>,
    /// The share of the images that trains the weights, the rest validates architectures; strictly between 0 and 1.
    /// Default 0.4, as in DINAS (40% train the shared weights, 60% the controller).
    pub train_fraction: f64,
    /// At most this many training images; absent = all.
    pub limit_train: Option<usize>,
    /// At most this many validation images; absent = all.
    pub limit_valid: Option<usize>,
    /// Pixels of black border before a random crop of the old size; 0 = no crop, absent = what is customary for the
    /// data set (cifar10, cifar100 and folder 4, otherwise 0).
    pub crop_padding: Option<usize>,
    /// Whether half of the training images are mirrored left to right; absent = what is customary for the data set
    /// (cifar10, cifar100 and folder yes, otherwise no).
    pub flip: Option<bool>,
    /// Side of the square that cutout blanks, in pixels. Default 0, off; DARTS retrains with 16.
    pub cutout: usize,
    /// Side to which the images of `folder` are resized, in pixels. Default 32.
    pub image_size: usize,
    /// The options of the data set `synthetic`.
    pub synthetic: SyntheticOptions,
}

impl Default for DataOptions {
    fn default() -> Self {
        Self {
            name: "digits".into(),
            dir: None,
            train_fraction: 0.4,
            limit_train: None,
            limit_valid: None,
            crop_padding: None,
            flip: None,
            cutout: 0,
            image_size: 32,
            synthetic: SyntheticOptions::default(),
        }
    }
}

impl DataOptions {
    /// The augmentation of the training images: what the options ask for, else what is customary for the data set.
    pub fn augment(&self, dataset: &Dataset) -> Result<Augment, DataError> {
        let padding = self.crop_padding.unwrap_or(dataset.augment.padding);
        let shape = dataset.shape();
        let side = shape.height.min(shape.width);
        // The customary border would leave little of a tiny image: it is 1/8 of the 32 pixels that it was chosen for.
        let padding = if self.crop_padding.is_none() { padding.min(side / 8) } else { padding };
        if padding >= side {
            return Err(DataError::option("data.crop_padding", padding, format!("less than the image side, {side}")));
        }
        if self.cutout >= 2 * side {
            let expected = format!("less than twice the image side, {}", 2 * side);
            return Err(DataError::option("data.cutout", self.cutout, expected));
        }
        Ok(Augment { padding, flip: self.flip.unwrap_or(dataset.augment.flip), cutout: self.cutout })
    }

    /// Refuses a folder that the data set `name` would not read: whoever gives one means other images.
    pub(super) fn no_folder(&self, name: &str) -> Result<(), DataError> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let expected = format!("none: data set `{name}` reads no files; choose one that does with --data");
        Err(DataError::option("data.dir", dir.display(), expected))
    }

    /// The folder given by the user, checked to be one.
    pub(super) fn folder(&self, name: &'static str, how: &'static str) -> Result<&Path, DataError> {
        let dir = self.dir.as_deref().ok_or(DataError::NoFolder { name, how })?;
        if dir.is_dir() { Ok(dir) } else { Err(DataError::Missing { path: dir.into(), how }) }
    }
}

/// The options of the data set `synthetic`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SyntheticOptions {
    /// The number of classes, 2 to 1000. Default 10.
    pub classes: usize,
    /// Height and width of the images in pixels, 2 to 256. Default 16.
    pub size: usize,
    /// Values per pixel, 1 to 16. Default 3.
    pub channels: usize,
    /// The number of images, balanced over the classes; at least one a class. Default 2000.
    pub samples: usize,
    /// Standard deviation of the noise, in units of the pattern's. Default 1.
    pub noise: f64,
    /// The seed of patterns and noise. Default 0, so that runs with different seeds see the same images.
    pub seed: u64,
}

impl Default for SyntheticOptions {
    fn default() -> Self {
        Self { classes: 10, size: 16, channels: 3, samples: 2000, noise: 1.0, seed: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ImageShape, Images};
    use super::*;

    fn dataset(side: usize, augment: Augment) -> Dataset {
        let shape = ImageShape { height: side, width: side, channels: 1 };
        Dataset { name: "digits", classes: vec![], train: Images::new(shape, vec![], vec![]), test: None, augment }
    }

    #[test]
    fn an_empty_section_is_the_default_and_the_default_reads_itself_back() {
        let default = DataOptions::default();
        assert_eq!(toml::from_str::<DataOptions>("").unwrap(), default);
        let text = toml::to_string(&default).unwrap();
        assert_eq!(toml::from_str::<DataOptions>(&text).unwrap(), default);
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error = toml::from_str::<DataOptions>("limit_trian = 3").unwrap_err().to_string();
        assert!(error.contains("limit_trian"), "{error}");
        assert!(toml::from_str::<DataOptions>("[synthetic]\nsides = 3").is_err());
    }

    #[test]
    fn augmentation_is_customary_unless_asked_for() {
        let customary = Augment { padding: 4, flip: true, cutout: 0 };
        let mut options = DataOptions::default();
        assert_eq!(options.augment(&dataset(32, customary)).unwrap(), customary);
        assert_eq!(options.augment(&dataset(16, customary)).unwrap().padding, 2);
        options.crop_padding = Some(0);
        options.flip = Some(false);
        options.cutout = 16;
        let asked = options.augment(&dataset(32, customary)).unwrap();
        assert_eq!(asked, Augment { padding: 0, flip: false, cutout: 16 });
    }

    #[test]
    fn augmentation_that_would_blank_every_image_is_refused() {
        let options = DataOptions { crop_padding: Some(8), ..DataOptions::default() };
        let error = options.augment(&dataset(8, Augment::NONE)).unwrap_err().to_string();
        assert_eq!(error, "data.crop_padding is 8, expected less than the image side, 8");
        let options = DataOptions { cutout: usize::MAX, ..DataOptions::default() };
        assert!(options.augment(&dataset(8, Augment::NONE)).is_err());
    }
}
