//! Batches of evaluation images, on the device or decoded for every evaluation.

use super::RunError;
use crate::data::{Batch, Dataset, EvalBatches, Images, Normalise};
use crate::network::tensor;
use nas_ops::{Backend, OpError, Tensor4};
use std::sync::Arc;

/// Largest size of images in files that is kept on the device, in bytes of `f32`: 445 images of 224 x 224.
const MAX_KEPT_BYTES: usize = 1 << 28;

/// A batch of images on the device, with the class of each image.
#[derive(Debug, Clone)]
pub(super) struct Labelled<D: Backend> {
    pub(super) images: Tensor4<D>,
    pub(super) labels: Vec<usize>,
}

/// Batches in order, each of which may fail to be decoded.
type Batches<'a, D> = Box<dyn Iterator<Item = Result<Labelled<D>, RunError>> + 'a>;

/// Images in a fixed order. Every iteration returns the same batches.
#[derive(Debug)]
pub(super) enum EvalSet<D: Backend> {
    /// Batches on the device.
    OnDevice(Vec<Labelled<D>>),
    /// Images in files that would take more than [`MAX_KEPT_BYTES`] bytes.
    DecodedPerUse(ImagesInFiles<D>),
}

/// Images that every iteration decodes.
#[derive(Debug)]
pub(super) struct ImagesInFiles<D: Backend> {
    dataset: Arc<Dataset>,
    part: Part,
    indices: Vec<usize>,
    normalise: Normalise,
    batch_size: usize,
    device: D,
}

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Training and validation images.
    Train,
    /// Test images. The caller has checked that the data set has them.
    Test,
}

impl Part {
    fn of(self, dataset: &Dataset) -> &Images {
        match (self, &dataset.test) {
            (Self::Test, Some(test)) => test,
            _ => &dataset.train,
        }
    }
}

impl<D: Backend> EvalSet<D> {
    /// The images of a part at `indices`, in batches of at most `batch_size`.
    ///
    /// # Errors
    /// A batch size of 0, a file that cannot be read, or a failing device.
    pub(super) fn new(
        dataset: &Arc<Dataset>,
        part: Part,
        indices: Vec<usize>,
        normalise: &Normalise,
        batch_size: usize,
        device: &D,
    ) -> Result<Self, RunError> {
        let (normalise, device) = (normalise.clone(), device.clone());
        Self::with_limit(
            MAX_KEPT_BYTES,
            ImagesInFiles { dataset: dataset.clone(), part, indices, normalise, batch_size, device },
        )
    }

    fn with_limit(kept: usize, set: ImagesInFiles<D>) -> Result<Self, RunError> {
        let images = set.part.of(&set.dataset);
        let size = set.indices.len().saturating_mul(images.shape().values() * size_of::<f32>());
        match images.in_memory() || size <= kept {
            true => set.batches()?.collect::<Result<_, _>>().map(Self::OnDevice),
            // A batch size of 0 is an error here, too.
            false => set.batches().map(drop).map(|()| Self::DecodedPerUse(set)),
        }
    }

    /// The batches, in order.
    ///
    /// # Errors
    /// As [`new`](Self::new), for each batch.
    pub(super) fn batches(&self) -> Result<Batches<'_, D>, RunError> {
        Ok(match self {
            Self::OnDevice(batches) => Box::new(batches.iter().map(|batch| Ok(batch.clone()))),
            Self::DecodedPerUse(set) => Box::new(set.batches()?),
        })
    }
}

impl<D: Backend> ImagesInFiles<D> {
    fn batches(&self) -> Result<impl Iterator<Item = Result<Labelled<D>, RunError>> + '_, RunError> {
        let images = self.part.of(&self.dataset);
        let batches = EvalBatches::new(images, &self.indices, &self.normalise, self.batch_size)?;
        Ok(batches.map(|batch| Ok(labelled(&self.device, batch?)?)))
    }
}

fn labelled<D: Backend>(device: &D, batch: Batch) -> Result<Labelled<D>, OpError> {
    Ok(Labelled { images: tensor(device, batch.images, batch.shape)?, labels: batch.labels })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Cache, DataOptions, load};
    use dfdx::prelude::Cpu;
    use std::fs;

    #[test]
    fn decoded_batches_are_those_that_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..10u8 {
            let folder = dir.path().join((number % 2).to_string());
            fs::create_dir_all(&folder).unwrap();
            let bytes = [b"P6 2 2 255\n".to_vec(), vec![number; 12]].concat();
            fs::write(folder.join(format!("{number}.ppm")), bytes).unwrap();
        }
        let options =
            |cache| DataOptions { dir: Some(dir.path().into()), image_size: 2, cache, ..DataOptions::default() };
        let set = |cache, kept| {
            let dataset = Arc::new(load("folder", &options(cache)).unwrap());
            let normalise = Normalise::fit(&dataset.train, &[0, 1, 2]);
            let (part, indices, device) = (Part::Train, vec![7, 0, 3, 9, 4], Cpu::default());
            EvalSet::with_limit(kept, ImagesInFiles { dataset, part, indices, normalise, batch_size: 2, device })
                .unwrap()
        };
        let content = |set: &EvalSet<Cpu>| {
            let batches = set.batches().unwrap().map(Result::unwrap);
            batches.map(|batch| (batch.images.as_vec(), batch.labels)).collect::<Vec<_>>()
        };
        let sets = [set(Cache::Memory, 0), set(Cache::Disk, 5 * 48), set(Cache::Disk, 5 * 48 - 1)];
        assert_eq!(sets.each_ref().map(|set| matches!(set, EvalSet::OnDevice(_))), [true, true, false]);
        let expected = content(&sets[0]);
        assert_eq!(expected.len(), 3);
        for set in &sets[1..] {
            // Twice, since every iteration returns the same batches.
            assert_eq!((content(set), content(set)), (expected.clone(), expected.clone()));
        }
        fs::remove_file(dir.path().join("1/1.ppm")).unwrap();
        assert!(sets[2].batches().unwrap().any(|batch| batch.is_ok()));
        let missing = ImagesInFiles {
            indices: vec![5],
            ..match sets.into_iter().nth(2).unwrap() {
                EvalSet::DecodedPerUse(set) => set,
                EvalSet::OnDevice(_) => unreachable!(),
            }
        };
        let error = missing.batches().unwrap().find_map(Result::err).unwrap().to_string();
        assert!(error.contains("1/1.ppm"), "{error}");
    }
}
