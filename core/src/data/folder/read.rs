//! The first reading of image files: every file is decoded, in parallel.

use std::path::{Path, PathBuf};

use image::{DynamicImage, RgbImage};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::super::fingerprint::{BlockDigests, Digest32};
use super::super::images::zeroed;
use super::super::normalise::ChannelSums;
use super::super::window::Window;
use super::super::{Cache, DataError, DataOptions, ImageShape, Images, Resize};
use super::file_images::{FileImages, ImageFile, shape_of};
use super::files::ImageFiles;
use super::{Cancel, decode, resize};

/// Size of all images up to which `data.cache = "auto"` keeps them in memory, in bytes.
const AUTO_MEMORY_BYTES: u64 = 4 << 30;
/// Size of the images that are decoded at a time, in bytes.
const DECODE_BUFFER_BYTES: usize = 1 << 25;
/// Largest number of images that are decoded at a time.
const MAX_BATCH: usize = 1024;

/// How a decoded image becomes values `[size, size, 3]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decoding {
    size: u32,
    resize: Resize,
    /// Whether training images are cut from the whole images.
    pub(super) train_on_uncropped: bool,
}

impl Decoding {
    /// Shape of a view.
    fn shape(self) -> ImageShape {
        let side = self.size as usize;
        ImageShape { height: side, width: side, channels: 3 }
    }

    /// The image, resized to `[size, size, 3]`.
    pub(super) fn view(self, image: DynamicImage, cancel: &Cancel) -> Result<RgbImage, DataError> {
        match self.resize {
            Resize::Square => resize::square(image, self.size, cancel),
            Resize::Crop => Ok(self.centre(&self.uncropped(image, cancel)?)),
        }
    }

    /// The whole image in RGB. Very large images are reduced.
    pub(super) fn uncropped(self, image: DynamicImage, cancel: &Cancel) -> Result<RgbImage, DataError> {
        Ok(resize::bounded(image, self.size, cancel)?.into_rgb8())
    }

    fn centre(self, whole: &RgbImage) -> RgbImage {
        let (shape, side) = (shape_of(whole), self.size as usize);
        let values = Window::centre(shape).resized(whole, shape, side, side);
        RgbImage::from_raw(self.size, self.size, values).unwrap_or_else(|| unreachable!("the window was resized"))
    }
}

/// Reads the parts of a data set.
pub(super) struct Reader<'a> {
    decoding: Decoding,
    in_memory: bool,
    cancel: &'a Cancel<'a>,
}

/// Result of the first reading of a file.
struct FirstReading {
    file: ImageFile,
    /// Digest of the whole image, for views that show a part of it.
    uncropped_digest: Option<Digest32>,
}

impl<'a> Reader<'a> {
    /// Decides for all `parts` whether they are kept in memory.
    pub(super) fn new(options: &DataOptions, parts: &[&ImageFiles], cancel: &'a Cancel<'a>) -> Self {
        let train_on_uncropped = options.resize == Resize::Crop && options.random_resized_crop;
        let decoding = Decoding { size: options.image_size as u32, resize: options.resize, train_on_uncropped };
        // Whole images have no common size, so their files are kept instead. A missing file is an error later.
        let size = |part: &&ImageFiles| -> u64 {
            match train_on_uncropped {
                true => part.paths.iter().map(|path| path.metadata().map_or(0, |metadata| metadata.len())).sum(),
                false => part.len() as u64 * decoding.shape().values() as u64,
            }
        };
        let in_memory = match options.cache {
            Cache::Memory => true,
            Cache::Disk => false,
            Cache::Auto => parts.iter().map(size).sum::<u64>() <= AUTO_MEMORY_BYTES,
        };
        Self { decoding, in_memory, cancel }
    }

    /// Decodes all images of a part, and keeps their values, their files, or the paths of their files.
    pub(super) fn read(&self, list: ImageFiles) -> Result<Images, DataError> {
        let shape = self.decoding.shape();
        let (keep_values, keep_files) =
            (self.in_memory && !self.decoding.train_on_uncropped, self.in_memory && self.decoding.train_on_uncropped);
        let count = (DECODE_BUFFER_BYTES / shape.values()).min(MAX_BATCH).max(rayon::current_num_threads());
        let mut values = zeroed(if keep_values { list.len() } else { count.min(list.len()) }, shape)?;
        let (mut files, mut uncropped_hash, mut blocks) = (Vec::new(), Sha256::new(), BlockDigests::default());
        for (number, paths) in list.paths.chunks(count).enumerate() {
            let start = if keep_values { number * count * shape.values() } else { 0 };
            let outputs = &mut values[start..][..paths.len() * shape.values()];
            let read = |(output, path): (&mut [u8], &PathBuf)| self.file(path, output, keep_files);
            let found: Vec<_> = outputs.par_chunks_exact_mut(shape.values()).zip(paths).map(read).collect();
            for found in found {
                // The first error in the order of files, so that the message does not depend on threads.
                let FirstReading { file, uncropped_digest } = found?;
                uncropped_digest.iter().for_each(|digest| uncropped_hash.update(digest));
                if !keep_values {
                    files.push(file);
                }
            }
            if !keep_values {
                blocks.update(outputs);
            }
        }
        let images = match keep_values {
            true => Images::new(shape, values, list.labels),
            false => Images::in_files(shape, FileImages::new(files, self.decoding, blocks.finish()), list.labels),
        };
        Ok(images
            .with_uncropped_digest((self.decoding.resize == Resize::Crop).then(|| uncropped_hash.finalize().into())))
    }

    /// Reads one file, and writes its values to `output`.
    fn file(&self, path: &Path, output: &mut [u8], keep: bool) -> Result<FirstReading, DataError> {
        self.cancel.check()?;
        let content = decode::read(path)?;
        let (view, uncropped_digest) =
            decode::decode(path, &content, self.cancel, |image| match self.decoding.resize {
                Resize::Square => Ok((self.decoding.view(image, self.cancel)?, None)),
                Resize::Crop => {
                    let whole = self.decoding.uncropped(image, self.cancel)?;
                    Ok((self.decoding.centre(&whole), Some(digest(&whole))))
                }
            })?;
        output.copy_from_slice(&view);
        let mut sums = [ChannelSums::default(); 3];
        ChannelSums::add(&mut sums, &view);
        let digest = Sha256::digest(&content).into();
        let file = ImageFile { path: path.into(), digest, content: keep.then_some(content), sums };
        Ok(FirstReading { file, uncropped_digest })
    }
}

/// SHA-256 over width, height and values of an image.
fn digest(image: &RgbImage) -> Digest32 {
    let mut hash = Sha256::new();
    [image.width(), image.height()].iter().for_each(|side| hash.update(u64::from(*side).to_le_bytes()));
    hash.update(image.as_raw());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    /// Images of 1,024 x 1,024 x 3 values: 1,365 are below the limit, 1,366 above.
    #[test]
    fn images_of_more_than_4_gib_stay_on_disk() {
        let requested = AtomicBool::new(false);
        let in_memory = |cache, counts: [usize; 2]| {
            let options = DataOptions { image_size: 1024, cache, ..DataOptions::default() };
            let parts = counts.map(|n| ImageFiles { paths: vec![PathBuf::new(); n], labels: vec![0; n] });
            Reader::new(&options, &[&parts[0], &parts[1]], &Cancel(&requested)).in_memory
        };
        assert!(in_memory(Cache::Auto, [1000, 365]) && !in_memory(Cache::Auto, [1000, 366]));
        assert!(in_memory(Cache::Memory, [1000, 366]) && !in_memory(Cache::Disk, [1, 0]));
    }
}
