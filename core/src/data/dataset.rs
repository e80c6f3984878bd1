//! Images and labels in memory.

use super::{Augment, DataError};

/// Shape of every image of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageShape {
    /// Number of rows of pixels.
    pub height: usize,
    /// Number of columns of pixels.
    pub width: usize,
    /// Number of values per pixel: 1 for grey, 3 for red, green and blue.
    pub channels: usize,
}

impl ImageShape {
    /// Number of values of one image, `height * width * channels`.
    pub fn values(&self) -> usize {
        self.height * self.width * self.channels
    }
}

/// Labelled images in memory, with 8-bit values `[n, h, w, c]`.
///
/// 8-bit values take a quarter of the memory of `f32`: 184 MB for the 60,000 images of CIFAR-10.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    shape: ImageShape,
    pixels: Vec<u8>,
    labels: Vec<u16>,
}

impl Images {
    /// Creates images from values `[n, h, w, c]` and labels `[n]`. Callers have checked both lengths.
    pub(crate) fn new(shape: ImageShape, pixels: Vec<u8>, labels: Vec<u16>) -> Self {
        debug_assert_eq!(pixels.len(), labels.len() * shape.values());
        Self { shape, pixels, labels }
    }

    /// Shape of every image.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Labels `[n]`; each is an index into [`Dataset::classes`].
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// Values `[h, w, c]` of one image.
    ///
    /// # Panics
    /// If `index` is not below [`Images::len`].
    pub fn pixels(&self, index: usize) -> &[u8] {
        let values = self.shape.values();
        &self.pixels[index * values..][..values]
    }
}

/// A data set in memory: images for training and validation, and held-out test images where the data set has them.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Name of the data set in the registry.
    pub name: &'static str,
    /// Class names in the order of the labels.
    pub classes: Vec<String>,
    /// Images that a run splits into training and validation.
    pub train: Images,
    /// Images for the final evaluation, which a search does not use; `None` if the data set has no test part.
    pub test: Option<Images>,
    /// Default augmentation for these images.
    pub augment: Augment,
}

impl Dataset {
    /// Shape of every image in both parts.
    pub fn shape(&self) -> ImageShape {
        self.train.shape()
    }
}

/// Allocates `images * shape.values()` zero bytes, or returns an error if memory does not suffice.
pub(crate) fn zeroed(images: usize, shape: ImageShape) -> Result<Vec<u8>, DataError> {
    let bytes = shape.values();
    let memory = || DataError::Memory { images, bytes };
    let total = images.checked_mul(bytes).ok_or_else(memory)?;
    let mut pixels = Vec::new();
    pixels.try_reserve_exact(total).map_err(|_| memory())?;
    pixels.resize(total, 0);
    Ok(pixels)
}
