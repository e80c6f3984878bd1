//! Batches of normalised images, and the batches in fixed order for evaluation.

use rayon::prelude::*;

use super::{DataError, Images, Normalise};

/// Images and labels as the input of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Normalised pixel values `[n, h, w, c]`, row-major.
    pub images: Vec<f32>,
    /// Class of each image, `[n]`.
    pub labels: Vec<usize>,
    /// Shape of `images`: number, height, width, channels.
    pub shape: [usize; 4],
}

impl Batch {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether the batch has no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Builds the batch of the images at `chosen`. `write(position in the batch, index of the image, out)` writes the
    /// values of one image. Images are built in parallel by the threads of the current pool.
    pub(super) fn build(
        images: &Images,
        chosen: &[usize],
        write: impl Fn(usize, usize, &mut [f32]) -> Result<(), DataError> + Sync,
    ) -> Result<Self, DataError> {
        let shape = images.shape();
        let mut values = vec![0.0; chosen.len() * shape.values()];
        let outputs = values.par_chunks_exact_mut(shape.values()).zip(chosen).enumerate();
        // The first error in the order of the batch, so that the message does not depend on threads.
        let failed = outputs.find_map_first(|(position, (output, &index))| write(position, index, output).err());
        if let Some(error) = failed {
            return Err(error);
        }
        Ok(Self {
            images: values,
            labels: chosen.iter().map(|&index| usize::from(images.labels()[index])).collect(),
            shape: [chosen.len(), shape.height, shape.width, shape.channels],
        })
    }
}

/// Iterates over images in the order of `indices`, without augmentation, in batches of almost equal size.
///
/// Only the current batch is in memory as `f32`. Images in files are decoded by the threads of the current pool; a file
/// that cannot be read is an error. A clone of the iterator returns the same batches again.
#[derive(Clone, Debug)]
pub struct EvalBatches<'a> {
    images: &'a Images,
    rest: &'a [usize],
    /// Number of batches that `rest` makes.
    batches: usize,
    normalise: &'a Normalise,
}

impl<'a> EvalBatches<'a> {
    /// Creates the batches of the images at `indices`, with at most `batch_size` images each.
    ///
    /// # Errors
    /// A batch size of 0, or an index that no image has.
    pub fn new(
        images: &'a Images,
        indices: &'a [usize],
        normalise: &'a Normalise,
        batch_size: usize,
    ) -> Result<Self, DataError> {
        check_batch_size("eval.batch_size", batch_size)?;
        if let Some(index) = indices.iter().find(|&&index| index >= images.len()) {
            return Err(DataError::option("index of an image", index, format!("less than {}", images.len())));
        }
        Ok(Self { images, rest: indices, batches: indices.len().div_ceil(batch_size), normalise })
    }

    /// Number of images in the largest batch when `count` images are split into batches of at most `batch_size`. The
    /// sizes of the batches differ by at most one: with batch-norm statistics of the batch, the accuracy on a small last
    /// batch would not be comparable.
    pub fn images_per_batch(count: usize, batch_size: usize) -> usize {
        let batches = count.div_ceil(batch_size.max(1)).max(1);
        count.div_ceil(batches).max(1)
    }
}

impl Iterator for EvalBatches<'_> {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.batches == 0 {
            return None;
        }
        let (chosen, rest) = self.rest.split_at(self.rest.len().div_ceil(self.batches));
        (self.rest, self.batches) = (rest, self.batches - 1);
        let write = |_, index, out: &mut [f32]| {
            self.normalise.write(&self.images.pixels(index)?, out);
            Ok(())
        };
        Some(Batch::build(self.images, chosen, write))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.batches, Some(self.batches))
    }
}

impl ExactSizeIterator for EvalBatches<'_> {}

/// Returns an error for a batch size of 0, the value of the option `key`.
pub(super) fn check_batch_size(key: &'static str, batch_size: usize) -> Result<(), DataError> {
    if batch_size == 0 { Err(DataError::option(key, 0, "at least 1")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::ImageShape;
    use super::*;

    fn images(count: usize) -> Images {
        let shape = ImageShape { height: 1, width: 2, channels: 1 };
        Images::new(shape, (0..2 * count as u8).collect(), (0..count as u16).collect())
    }

    #[test]
    fn evaluation_keeps_the_order_and_ends_with_a_small_batch() {
        let images = images(5);
        let keep = Normalise::fit(&images, &[]);
        let batches = EvalBatches::new(&images, &[4, 0, 2], &keep, 2).unwrap();
        assert_eq!(batches.len(), 2);
        let batches: Vec<Batch> = batches.map(Result::unwrap).collect();
        assert_eq!(batches[0], Batch { images: vec![8.0, 9.0, 0.0, 1.0], labels: vec![4, 0], shape: [2, 1, 2, 1] });
        assert_eq!(batches[1], Batch { images: vec![4.0, 5.0], labels: vec![2], shape: [1, 1, 2, 1] });
        assert_eq!((batches[1].len(), batches[1].is_empty()), (1, false));
    }

    #[test]
    fn sizes_of_batches_differ_by_at_most_one() {
        let images = images(100);
        let keep = Normalise::fit(&images, &[]);
        for (count, batch_size) in [(100, 7), (99, 10), (10, 10), (3, 8), (91, 90), (100, 25)] {
            let indices: Vec<usize> = (0..count).collect();
            let batches = EvalBatches::new(&images, &indices, &keep, batch_size).unwrap();
            let sizes: Vec<usize> = batches.map(|batch| batch.unwrap().len()).collect();
            let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            assert_eq!((sizes.iter().sum::<usize>(), sizes.len()), (count, count.div_ceil(batch_size)));
            assert!(most - least <= 1 && *most == EvalBatches::images_per_batch(count, batch_size), "{sizes:?}");
        }
    }

    #[test]
    fn empty_batches_and_unknown_images_are_refused() {
        let images = images(2);
        let keep = Normalise::fit(&images, &[]);
        let error = EvalBatches::new(&images, &[0], &keep, 0).unwrap_err().to_string();
        assert_eq!(error, "eval.batch_size: expected at least 1, found 0");
        assert!(EvalBatches::new(&images, &[2], &keep, 1).is_err());
        assert_eq!(EvalBatches::new(&images, &[], &keep, 1).unwrap().count(), 0);
    }
}
