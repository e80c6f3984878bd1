//! Images that stay in their files and are decoded whenever they are used.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use image::RgbImage;
use sha2::{Digest, Sha256};

use super::super::fingerprint::Digest32;
use super::super::normalise::ChannelSums;
use super::super::{DataError, ImageShape};
use super::read::Decoding;
use super::{Cancel, decode};

/// Images in files. Reading an image twice gives the same values: a file with another content than at first is an
/// error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::data) struct FileImages {
    files: Arc<[ImageFile]>,
    decoding: Decoding,
    /// SHA-256 of each block of the values `[n, h, w, c]`.
    blocks: Vec<Digest32>,
}

/// An image file after its first reading.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ImageFile {
    pub(super) path: PathBuf,
    /// SHA-256 of the content.
    pub(super) digest: Digest32,
    /// The content, if files are kept in memory.
    pub(super) content: Option<Vec<u8>>,
    /// Sums over the values of the view, by channel.
    pub(super) sums: [ChannelSums; 3],
}

impl FileImages {
    pub(super) fn new(files: Vec<ImageFile>, decoding: Decoding, blocks: Vec<Digest32>) -> Self {
        Self { files: files.into(), decoding, blocks }
    }

    /// Number of images.
    pub(in crate::data) fn len(&self) -> usize {
        self.files.len()
    }

    /// SHA-256 of each block of the values `[n, h, w, c]`.
    pub(in crate::data) fn block_digests(&self) -> &[Digest32] {
        &self.blocks
    }

    /// Adds the sums over the values of an image.
    pub(in crate::data) fn add_sums(&self, index: usize, sums: &mut [ChannelSums]) {
        sums.iter_mut().zip(self.files[index].sums).for_each(|(sum, of_image)| *sum += of_image);
    }

    /// Whether training images are cut from the whole images.
    pub(in crate::data) fn train_on_uncropped(&self) -> bool {
        self.decoding.train_on_uncropped
    }

    /// Values `[size, size, 3]` of an image.
    pub(in crate::data) fn view(&self, index: usize, cancel: &Cancel) -> Result<Vec<u8>, DataError> {
        let (file, content) = self.content(index)?;
        decode::decode(&file.path, &content, cancel, |image| Ok(self.decoding.view(image, cancel)?.into_raw()))
    }

    /// Calls `f` with the shape and the values of the whole image.
    pub(in crate::data) fn with_uncropped<T>(
        &self,
        index: usize,
        cancel: &Cancel,
        f: impl FnOnce(ImageShape, &[u8]) -> T,
    ) -> Result<T, DataError> {
        let (file, content) = self.content(index)?;
        decode::decode(&file.path, &content, cancel, |image| {
            let image = self.decoding.uncropped(image, cancel)?;
            Ok(f(shape_of(&image), &image))
        })
    }

    /// A file and its content, which must be the content of its first reading.
    fn content(&self, index: usize) -> Result<(&ImageFile, Cow<'_, [u8]>), DataError> {
        let file = &self.files[index];
        if let Some(content) = &file.content {
            return Ok((file, Cow::Borrowed(content)));
        }
        let content = decode::read(&file.path)?;
        match Digest32::from(Sha256::digest(&content)) == file.digest {
            true => Ok((file, Cow::Owned(content))),
            false => Err(DataError::Changed { path: file.path.clone() }),
        }
    }
}

/// The shape of a decoded image.
pub(super) fn shape_of(image: &RgbImage) -> ImageShape {
    ImageShape { height: image.height() as usize, width: image.width() as usize, channels: 3 }
}
