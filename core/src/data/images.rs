//! Labelled images, in memory or in files.

use std::borrow::Cow;
use std::sync::atomic::AtomicBool;

use super::DataError;
use super::fingerprint::{self, Digest32};
use super::folder::FileImages;
use super::normalise::ChannelSums;
use super::registry::Cancel;

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

/// Labelled images with 8-bit values `[n, h, w, c]`.
///
/// In memory, 8-bit values take a quarter of the memory of `f32`: 184 MB for the 60,000 images of CIFAR-10. Images in
/// files are decoded whenever they are read, and give the same values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    shape: ImageShape,
    labels: Vec<u16>,
    store: Store,
    /// SHA-256 over the whole decoded images, if the values show only a part of them.
    uncropped_digest: Option<Digest32>,
}

/// Where the values are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Store {
    Memory(Vec<u8>),
    Files(FileImages),
}

impl Images {
    /// Creates images from values `[n, h, w, c]` and labels `[n]`. Callers have checked both lengths.
    pub(crate) fn new(shape: ImageShape, pixels: Vec<u8>, labels: Vec<u16>) -> Self {
        debug_assert_eq!(pixels.len(), labels.len() * shape.values());
        Self { shape, labels, store: Store::Memory(pixels), uncropped_digest: None }
    }

    /// Creates images that stay in their files. Callers have checked both lengths.
    pub(super) fn in_files(shape: ImageShape, files: FileImages, labels: Vec<u16>) -> Self {
        debug_assert_eq!(files.len(), labels.len());
        Self { shape, labels, store: Store::Files(files), uncropped_digest: None }
    }

    /// Adds the digest of the whole images, of which the values show a part.
    pub(super) fn with_uncropped_digest(self, uncropped_digest: Option<Digest32>) -> Self {
        Self { uncropped_digest, ..self }
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

    /// Labels `[n]`; each is an index into [`Dataset::classes`](super::Dataset::classes).
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// Whether the values are in memory. Otherwise every access decodes a file.
    pub fn in_memory(&self) -> bool {
        matches!(self.store, Store::Memory(_))
    }

    /// Values `[h, w, c]` of one image.
    ///
    /// # Errors
    /// A file that cannot be read any more, or that has changed since the data set was read.
    ///
    /// # Panics
    /// If `index` is not below [`Images::len`].
    pub fn pixels(&self, index: usize) -> Result<Cow<'_, [u8]>, DataError> {
        self.read(index, &Cancel(&AtomicBool::new(false)))
    }

    /// As [`pixels`](Self::pixels), but a request to stop returns [`DataError::Cancelled`].
    pub(super) fn read(&self, index: usize, cancel: &Cancel) -> Result<Cow<'_, [u8]>, DataError> {
        match &self.store {
            Store::Memory(pixels) => {
                let values = self.shape.values();
                Ok(Cow::Borrowed(&pixels[index * values..][..values]))
            }
            Store::Files(files) => files.view(index, cancel).map(Cow::Owned),
        }
    }

    /// Calls `f` with the shape and the values of the image from which training images are cut: the whole decoded
    /// image, if the files are read for random resized crops, else the values of [`pixels`](Self::pixels).
    pub(super) fn with_source<T>(
        &self,
        index: usize,
        cancel: &Cancel,
        f: impl FnOnce(ImageShape, &[u8]) -> T,
    ) -> Result<T, DataError> {
        match &self.store {
            Store::Files(files) if files.train_on_uncropped() => files.with_uncropped(index, cancel, f),
            _ => self.read(index, cancel).map(|pixels| f(self.shape, &pixels)),
        }
    }

    /// Sums over the values of the images at `indices`, by channel.
    pub(super) fn channel_sums(&self, indices: &[usize]) -> Vec<ChannelSums> {
        let mut sums = vec![ChannelSums::default(); self.shape.channels];
        match &self.store {
            Store::Memory(pixels) => {
                let values = self.shape.values();
                indices.iter().for_each(|&index| ChannelSums::add(&mut sums, &pixels[index * values..][..values]));
            }
            Store::Files(files) => indices.iter().for_each(|&index| files.add_sums(index, &mut sums)),
        }
        sums
    }

    /// SHA-256 over the whole decoded images, if the values show only a part of them.
    pub(super) fn uncropped_digest(&self) -> Option<&Digest32> {
        self.uncropped_digest.as_ref()
    }

    /// SHA-256 of each block of the values `[n, h, w, c]`.
    pub(super) fn block_digests(&self) -> Cow<'_, [Digest32]> {
        match &self.store {
            Store::Memory(pixels) => Cow::Owned(fingerprint::block_digests(pixels)),
            Store::Files(files) => Cow::Borrowed(files.block_digests()),
        }
    }
}

/// Allocates `images * shape.values()` zero bytes, or returns an error if memory does not suffice.
pub(crate) fn zeroed(images: usize, shape: ImageShape) -> Result<Vec<u8>, DataError> {
    let bytes = shape.values();
    let memory = || DataError::Memory { images, bytes };
    let total = images.checked_mul(bytes).ok_or_else(memory)?;
    // `vec!` ends the program without memory, so the size is tried first. It takes pages of zeros from the operating
    // system and does not touch them, so that generating many images can be interrupted at once.
    Vec::<u8>::new().try_reserve_exact(total).map_err(|_| memory())?;
    Ok(vec![0; total])
}
