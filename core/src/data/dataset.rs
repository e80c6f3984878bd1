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

    /// Values `[n, h, w, c]` of all images.
    pub fn all_pixels(&self) -> &[u8] {
        &self.pixels
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
    /// Number of images at the end of `train` that are the validation part of the data set itself. 0 if the data set has
    /// none; a run then draws its validation images from all of `train`.
    pub valid: usize,
    /// Images for the final evaluation, which a search does not use; `None` if the data set has no test part.
    pub test: Option<Images>,
    /// Default augmentation for these images.
    pub augment: Augment,
    /// Files that were not read, with the reason, as sentences for the user.
    pub notes: Vec<String>,
}

impl Dataset {
    /// Shape of every image in both parts.
    pub fn shape(&self) -> ImageShape {
        self.train.shape()
    }

    /// Numbers of images and classes in one line: `3,000 images of 32 x 32 in 10 classes, 300 of them for validation, no
    /// test part`.
    pub fn summary(&self) -> String {
        let ImageShape { height, width, .. } = self.shape();
        let images = counted(self.train.len(), "image");
        let valid = match self.valid {
            0 => String::new(),
            valid => format!(", {} of them for validation", grouped(valid)),
        };
        let test = self.test.as_ref().map_or("no test part".into(), |test| counted(test.len(), "test image"));
        format!("{images} of {height} x {width} in {} classes{valid}, {test}", self.classes.len())
    }
}

/// A count with its noun: `1 image`, `2,000 images`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// A count with commas between groups of three digits.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let group = |(place, digit): (usize, char)| {
        let comma = place > 0 && (digits.len() - place).is_multiple_of(3);
        comma.then_some(',').into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(group).collect()
}

/// Allocates `images * shape.values()` zero bytes, or returns an error if memory does not suffice.
pub(crate) fn zeroed(images: usize, shape: ImageShape) -> Result<Vec<u8>, DataError> {
    let bytes = shape.values();
    let memory = || DataError::Memory { images, bytes };
    let total = images.checked_mul(bytes).ok_or_else(memory)?;
    // `vec!` ends the program without memory, so the size is tried first. It takes pages of zeros from the operating system
    // and does not touch them, so that generating many images can be interrupted at once.
    Vec::<u8>::new().try_reserve_exact(total).map_err(|_| memory())?;
    Ok(vec![0; total])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        let counts = [0, 999, 1000, 60_000, 1_234_567].map(grouped);
        assert_eq!([0, 1, 2].map(|count| counted(count, "image")), ["0 images", "1 image", "2 images"]);
        assert_eq!(counts, ["0", "999", "1,000", "60,000", "1,234,567"]);
    }

    #[test]
    fn the_summary_names_all_parts() {
        let shape = ImageShape { height: 2, width: 3, channels: 1 };
        let images = |n: usize| Images::new(shape, vec![0; n * 6], vec![0; n]);
        let (classes, train) = (vec!["a".into(), "b".into()], images(1200));
        let mut data =
            Dataset { name: "folder", classes, train, valid: 0, test: None, augment: Augment::NONE, notes: Vec::new() };
        assert_eq!(data.summary(), "1,200 images of 2 x 3 in 2 classes, no test part");
        (data.valid, data.test) = (200, Some(images(5)));
        assert_eq!(data.summary(), "1,200 images of 2 x 3 in 2 classes, 200 of them for validation, 5 test images");
    }
}
