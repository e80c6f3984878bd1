//! Images and labels in memory.

use super::{Augment, DataError};

/// Height, width and channels of every image of a data set, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageShape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Values per pixel: 1 for grey, 3 for red, green and blue.
    pub channels: usize,
}

impl ImageShape {
    /// The number of values of one image, `height * width * channels`.
    pub fn values(&self) -> usize {
        self.height * self.width * self.channels
    }
}

/// Labelled images as they were read: 8-bit values `[n, h, w, c]`, and one label each.
///
/// 8 bits keep a quarter of the memory of `f32`: the 60,000 images of CIFAR-10 take 184 MB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    shape: ImageShape,
    pixels: Vec<u8>,
    labels: Vec<u16>,
}

impl Images {
    /// Images from their values `[n, h, w, c]` and labels `[n]`. Loaders check both against their file format first.
    pub(crate) fn new(shape: ImageShape, pixels: Vec<u8>, labels: Vec<u16>) -> Self {
        debug_assert_eq!(pixels.len(), labels.len() * shape.values());
        Self { shape, pixels, labels }
    }

    /// The shape of every image.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The labels `[n]`, each an index into [`Dataset::classes`].
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The values `[h, w, c]` of one image.
    ///
    /// # Panics
    /// If `index` is not below [`Images::len`], as slices do.
    pub fn pixels(&self, index: usize) -> &[u8] {
        let values = self.shape.values();
        &self.pixels[index * values..][..values]
    }
}

/// A data set: what the search trains and validates on, and the held-out test images where the data set has them.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The name it was loaded by.
    pub name: &'static str,
    /// What each label means, in label order.
    pub classes: Vec<String>,
    /// The images that a search splits into training and validation.
    pub train: Images,
    /// Images that a search never sees, for the final evaluation.
    pub test: Option<Images>,
    /// The augmentation that is customary for these images.
    pub augment: Augment,
}

impl Dataset {
    /// The shape of every image, in both parts.
    pub fn shape(&self) -> ImageShape {
        self.train.shape()
    }
}

/// `images * shape.values()` zero bytes, or an error where memory does not suffice.
pub(crate) fn zeroed(images: usize, shape: ImageShape) -> Result<Vec<u8>, DataError> {
    let bytes = shape.values();
    let memory = || DataError::Memory { images, bytes };
    let total = images.checked_mul(bytes).ok_or_else(memory)?;
    let mut pixels = Vec::new();
    pixels.try_reserve_exact(total).map_err(|_| memory())?;
    pixels.resize(total, 0);
    Ok(pixels)
}
