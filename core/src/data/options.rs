//! The `[data]` section of a configuration.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Augment, ColourJitter, DataError, Dataset};

/// `[data]`: the data set of a run, its split and its augmentation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataOptions {
    /// Name of the data set; `nas-train list data` shows all. The default `digits` needs no files.
    pub name: String,
    /// Folder with the files of the data set. An error for data sets that need no files.
    pub dir: Option<PathBuf>,
    /// SHA-256 that the data set must have, as `data.fingerprint` of a run's `manifest.json`; other data are refused.
    /// Unset accepts any data.
    pub fingerprint: Option<String>,
    /// Fraction of the images that trains the weights, above 0 and below 1; the other images validate architectures.
    /// The default 0.4 is that of DINAS (40% of the images train the shared weights, 60% the controller). A data set
    /// with a validation part of its own (`val/` of `folder`) is split by that part instead.
    pub train_fraction: f64,
    /// Largest number of training images; unset means all.
    pub limit_train: Option<usize>,
    /// Largest number of validation images; unset means all.
    pub limit_valid: Option<usize>,
    /// Width in pixels of the black border that is added before a random crop to the original size; 0 disables the
    /// crop. Unset means the default of the data set: 4 for cifar10, cifar100 and folder (less for images below 32
    /// pixels), else 0.
    pub crop_padding: Option<usize>,
    /// Whether training images are mirrored left to right with probability 1/2. Unset means the default of the data
    /// set: true for cifar10, cifar100 and folder, else false.
    pub flip: Option<bool>,
    /// Side of the square that cutout sets to the mean, in pixels; 0 disables cutout. DARTS retrains with 16.
    pub cutout: usize,
    /// Whether training images are random windows of the image, resized to its size: area 8% to 100%, ratio of width to
    /// height 3/4 to 4/3 (Szegedy et al. 2015, the recipe of ImageNet). The default of `crop_padding` is then 0.
    pub random_resized_crop: bool,
    /// Random changes of the colours of training images.
    pub colour_jitter: ColourJitter,
    /// Side to which the images of `folder` are resized, in pixels, 1 to 1024. Other data sets accept the default only.
    pub image_size: usize,
    /// How the images of `folder` are resized. Other data sets accept the default only.
    pub resize: Resize,
    /// Where the images of `folder` are kept. It has no influence on results.
    pub cache: Cache,
    /// Options of the data set `idx`.
    pub idx: IdxOptions,
    /// Options of the data set `synthetic`.
    pub synthetic: SyntheticOptions,
}

impl Default for DataOptions {
    fn default() -> Self {
        Self {
            name: "digits".into(),
            dir: None,
            fingerprint: None,
            train_fraction: 0.4,
            limit_train: None,
            limit_valid: None,
            crop_padding: None,
            flip: None,
            cutout: 0,
            random_resized_crop: false,
            colour_jitter: ColourJitter::default(),
            image_size: 32,
            resize: Resize::default(),
            cache: Cache::default(),
            idx: IdxOptions::default(),
            synthetic: SyntheticOptions::default(),
        }
    }
}

impl DataOptions {
    /// Augmentation of the training images: the given options, and the defaults of the data set for unset ones.
    ///
    /// # Errors
    /// Padding or cutout too large for the images.
    pub fn augment(&self, dataset: &Dataset) -> Result<Augment, DataError> {
        let default = if self.random_resized_crop { 0 } else { dataset.augment.padding };
        let padding = self.crop_padding.unwrap_or(default);
        let shape = dataset.shape();
        let side = shape.height.min(shape.width);
        // The default border of 4 pixels was chosen for 32 pixels, so it is at most 1/8 of the side of smaller images.
        let padding = if self.crop_padding.is_none() { padding.min(side / 8) } else { padding };
        if padding >= side {
            return Err(DataError::option("data.crop_padding", padding, format!("less than the image side, {side}")));
        }
        if self.cutout >= 2 * side {
            let (h, w) = (shape.height, shape.width);
            let expected =
                format!("less than {}, twice the side of the images of {h} x {w} (0 is no cutout)", 2 * side);
            return Err(DataError::option("data.cutout", self.cutout, expected));
        }
        if self.random_resized_crop && shape.channels > 4 {
            let expected = format!("false for images of {} channels (true needs at most 4)", shape.channels);
            return Err(DataError::option("data.random_resized_crop", true, expected));
        }
        self.colour_jitter.check(shape)?;
        Ok(Augment {
            resized_crop: self.random_resized_crop,
            jitter: self.colour_jitter,
            padding,
            flip: self.flip.unwrap_or(dataset.augment.flip),
            cutout: self.cutout,
        })
    }

    /// These options without folder and cache, which do not change results.
    pub fn without_location(&self) -> Self {
        Self { dir: None, cache: Cache::default(), ..self.clone() }
    }

    /// Returns an error unless the fraction is between 0 and 1.
    pub(super) fn check_train_fraction(&self) -> Result<(), DataError> {
        let fraction = self.train_fraction;
        if fraction > 0.0 && fraction < 1.0 {
            return Ok(());
        }
        Err(DataError::option("data.train_fraction", fraction, "a number between 0 and 1, both excluded"))
    }

    /// Returns an error if an option of the data set `folder` is set for another data set, `name`. `cache = "memory"`
    /// is accepted, because every other data set is in memory.
    pub(super) fn refuse_options_of_folder(&self, name: &str) -> Result<(), DataError> {
        if self.cache == Cache::Disk {
            let expected = format!("auto or memory, because data set `{name}` is held in memory");
            return Err(DataError::option("data.cache", "disk", expected));
        }
        let default = Self::default();
        let because = format!("because the images of data set `{name}` keep their size");
        if self.image_size != default.image_size {
            let expected = format!("the default {}, {because}", default.image_size);
            return Err(DataError::option("data.image_size", self.image_size, expected));
        }
        if self.resize != default.resize {
            return Err(DataError::option("data.resize", "crop", format!("square, {because}")));
        }
        Ok(())
    }

    /// Returns an error if a folder was given to the data set `name`, which reads no files.
    pub(super) fn no_folder(&self, name: &str) -> Result<(), DataError> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let expected =
            format!("no folder, because data set `{name}` reads no files: leave data.dir (--data-dir) unset");
        Err(DataError::option("data.dir", dir.display(), expected))
    }

    /// The given folder; an error if it is unset or not a folder. `instructions` state how to get the files.
    pub(super) fn folder(&self, name: &'static str, instructions: &'static str) -> Result<&Path, DataError> {
        let dir = self.dir.as_deref().ok_or(DataError::NoFolder { name, instructions })?;
        if dir.is_dir() { Ok(dir) } else { Err(DataError::MissingFolder { name, path: dir.into() }) }
    }
}

/// How an image of any shape becomes a square of `data.image_size`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// The whole image, without keeping its aspect ratio.
    #[default]
    Square,
    /// The middle 7/8 of the shorter side, as in the evaluation on ImageNet: a shorter side of 256 pixels and the
    /// middle 224 x 224. `random_resized_crop` then takes windows of the whole image.
    Crop,
}

/// Where images are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cache {
    /// In memory if all images together take at most 4 GiB, else on disk.
    #[default]
    Auto,
    /// In memory.
    Memory,
    /// On disk: every use decodes a file, so memory does not grow with the number of images.
    Disk,
}

/// `[data.idx]`: options of the data set `idx`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IdxOptions {
    /// Order of the pixels in the files.
    pub layout: IdxLayout,
}

/// Order of the pixels of an image in an idx file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdxLayout {
    /// Row by row, as in MNIST, Fashion-MNIST and Kuzushiji-MNIST.
    #[default]
    Mnist,
    /// Column by column, as in EMNIST. The images are transposed when they are read.
    Emnist,
}

/// `[data.synthetic]`: options of the data set `synthetic`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SyntheticOptions {
    /// Number of classes, 2 to 1000.
    pub classes: usize,
    /// Height and width of the images in pixels, 2 to 256.
    pub size: usize,
    /// Number of values per pixel, 1 to 16.
    pub channels: usize,
    /// Number of images, with equally many per class; at least one per class.
    pub samples: usize,
    /// Standard deviation of the noise, as a multiple of that of the pattern.
    pub noise: f64,
    /// Seed of patterns and noise. It is separate from the seed of a run, so runs with different seeds have the same
    /// images.
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
        Dataset {
            name: "digits",
            classes: vec![],
            train: Images::new(shape, vec![], vec![]),
            valid: 0,
            test: None,
            augment,
            notes: vec![],
        }
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
    fn unset_augmentation_options_take_the_defaults_of_the_data_set() {
        let default = Augment { padding: 4, flip: true, ..Augment::NONE };
        let mut options = DataOptions::default();
        assert_eq!(options.augment(&dataset(32, default)).unwrap(), default);
        assert_eq!(options.augment(&dataset(16, default)).unwrap().padding, 2);
        options.crop_padding = Some(0);
        options.flip = Some(false);
        options.cutout = 16;
        let asked = options.augment(&dataset(32, default)).unwrap();
        assert_eq!(asked, Augment { cutout: 16, ..Augment::NONE });
        options = DataOptions { random_resized_crop: true, ..DataOptions::default() };
        let random = options.augment(&dataset(32, default)).unwrap();
        assert_eq!(random, Augment { resized_crop: true, padding: 0, ..default });
    }

    #[test]
    fn augmentation_that_would_blank_every_image_is_refused() {
        let options = DataOptions { crop_padding: Some(8), ..DataOptions::default() };
        let error = options.augment(&dataset(8, Augment::NONE)).unwrap_err().to_string();
        assert_eq!(error, "data.crop_padding: expected less than the image side, 8, found 8");
        let options = DataOptions { cutout: usize::MAX, ..DataOptions::default() };
        assert!(options.augment(&dataset(8, Augment::NONE)).is_err());
    }
}
