//! Asynchronous upload: the next batch is copied to the device while the current one trains.

use crate::data::{Batch, DataError};
use crate::trainer::RunError;
use nas_ops::{Backend, OpError, Tensor4, Upload};

/// A batch whose images are being copied to the device.
pub struct DeviceBatch<D: Backend> {
    images: Upload<D>,
    /// Class of each image.
    pub labels: Vec<usize>,
}

impl<D: Backend> DeviceBatch<D> {
    /// Starts the copy of a batch.
    ///
    /// # Errors
    /// A failing device.
    pub fn upload(device: &D, batch: Batch) -> Result<Self, OpError> {
        let [n, h, w, c] = batch.shape;
        Ok(Self { images: device.upload(batch.images, (n, h, w, c))?, labels: batch.labels })
    }

    /// Makes the device wait for the copy; returns the images `[n, h, w, c]` and the labels.
    ///
    /// # Errors
    /// A failing device.
    pub fn wait(self) -> Result<(Tensor4<D>, Vec<usize>), OpError> {
        Ok((self.images.tensor()?, self.labels))
    }
}

/// Batches on a device. The copy of the next batch starts before the current one is returned, so copy and training
/// overlap.
pub struct DeviceBatches<D: Backend, I> {
    device: D,
    batches: I,
    next: Option<Result<DeviceBatch<D>, RunError>>,
}

impl<D: Backend, I: Iterator<Item = Result<Batch, DataError>>> DeviceBatches<D, I> {
    /// The batches of an epoch on a device.
    pub fn new(device: &D, batches: I) -> Self {
        let mut new = Self { device: device.clone(), batches, next: None };
        new.next = new.upload_next();
        new
    }

    fn upload_next(&mut self) -> Option<Result<DeviceBatch<D>, RunError>> {
        let upload = |batch: Result<Batch, DataError>| Ok(DeviceBatch::upload(&self.device, batch?)?);
        self.batches.next().map(upload)
    }
}

impl<D: Backend, I: Iterator<Item = Result<Batch, DataError>>> Iterator for DeviceBatches<D, I> {
    type Item = Result<DeviceBatch<D>, RunError>;

    fn next(&mut self) -> Option<Self::Item> {
        let current = self.next.take()?;
        // After an error there is nothing to train with, and so nothing to copy.
        if current.is_ok() {
            self.next = self.upload_next();
        }
        Some(current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trainer::test_support::{TestDevice, test_device};

    fn batch(label: usize) -> Batch {
        Batch { images: vec![label as f32; 4], labels: vec![label], shape: [1, 2, 2, 1] }
    }

    #[test]
    fn the_next_batch_is_uploaded_before_the_current_one_is_returned() {
        let taken = std::cell::Cell::new(0);
        let batches = (0..3).map(|label| {
            taken.set(taken.get() + 1);
            Ok(batch(label))
        });
        let mut uploaded = DeviceBatches::<TestDevice, _>::new(&test_device(), batches);
        assert_eq!(taken.get(), 1);
        for (label, expected) in [(0, 2), (1, 3), (2, 3)] {
            let (images, labels) = uploaded.next().unwrap().unwrap().wait().unwrap();
            assert_eq!((TestDevice::to_host(&images), labels), (vec![label as f32; 4], vec![label]));
            assert_eq!(taken.get(), expected);
        }
        assert!(uploaded.next().is_none());
    }

    #[test]
    fn an_error_comes_after_the_batches_before_it() {
        let stopped = || Err(DataError::Stopped { epoch: 0, batches: 1 });
        let batches = [Ok(batch(0)), stopped(), Ok(batch(1))];
        let mut uploaded = DeviceBatches::<TestDevice, _>::new(&test_device(), batches.into_iter());
        assert!(uploaded.next().unwrap().is_ok());
        assert!(uploaded.next().unwrap().is_err());
        assert!(uploaded.next().is_none());
    }
}
