//! Batches of training images, which background threads prepare.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use rand::seq::SliceRandom;

use super::augment::AugmentRandom;
use super::batch::check_batch_size;
use super::registry::Cancel;
use super::{Augment, Batch, ColourJitter, DataError, Dataset, Normalise};
use crate::streams::Streams;

/// Number of batches that are prepared in advance.
const PREFETCH: usize = 3;

/// Returns the training images in batches; every epoch has a new order and new augmentation.
///
/// Order and augmentation depend only on the seed and on the number of the epoch (streams `data order`, `random resized
/// crop`, `colour jitter` and `augmentation`). They do not depend on threads, speed or earlier epochs, so a run can
/// resume in the middle of an epoch.
#[derive(Clone, Debug)]
pub struct Loader {
    dataset: Arc<Dataset>,
    indices: Arc<[usize]>,
    normalise: Arc<Normalise>,
    augment: Augment,
    batch_size: usize,
    streams: Streams,
}

impl Loader {
    /// Creates a loader of the images of `dataset.train` at `indices`, in batches of `batch_size`.
    ///
    /// # Errors
    /// A batch size of 0, or an index that no image has.
    pub fn new(
        dataset: Arc<Dataset>,
        indices: &[usize],
        normalise: Normalise,
        augment: Augment,
        batch_size: usize,
        streams: Streams,
    ) -> Result<Self, DataError> {
        check_batch_size("train.batch_size", batch_size)?;
        if let Some(index) = indices.iter().find(|&&index| index >= dataset.train.len()) {
            return Err(DataError::option("index of an image", index, format!("less than {}", dataset.train.len())));
        }
        Ok(Self { dataset, indices: indices.into(), normalise: Arc::new(normalise), augment, batch_size, streams })
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.indices.len()
    }

    /// Number of batches of an epoch. Incomplete batches are dropped so that every step has the same number of images.
    /// If there are fewer images than `batch_size`, all of them form one batch.
    pub fn batches(&self) -> usize {
        (self.indices.len() / self.batch_size).max(usize::from(!self.indices.is_empty()))
    }

    /// Starts epoch number `epoch` at its batch number `first`, both from 0. If images are decoded, cropped and
    /// resized, or colour-jittered, the threads of a pool as large as the current one prepare batches; otherwise one
    /// thread does.
    ///
    /// # Errors
    /// Background threads that cannot be started.
    pub fn epoch(&self, epoch: u64, first: usize) -> Result<EpochBatches, DataError> {
        let (sender, receiver) = sync_channel(PREFETCH);
        let stop = Arc::new(AtomicBool::new(false));
        let threads = if self.is_costly() { rayon::current_num_threads() } else { 1 };
        let failed = |source| DataError::Thread { source };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|_| "images".into());
        let pool = pool.build().map_err(|error| failed(io::Error::other(error)))?;
        let (loader, stopped) = (self.clone(), stop.clone());
        let prepare = move || {
            let order = loader.order(epoch);
            for number in first..loader.batches() {
                let batch = pool.install(|| loader.batch(&order, epoch, number, &Cancel(&stopped)));
                let failed = batch.is_err();
                // Sending fails after the epoch was dropped; the remaining batches are not needed.
                if sender.send(batch).is_err() || failed {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("batches".into()).spawn(prepare).map_err(failed)?;
        let remaining = self.batches().saturating_sub(first);
        Ok(EpochBatches { receiver: Some(receiver), thread: Some(thread), stop, epoch, delivered: 0, remaining })
    }

    /// Whether preparing an image takes about as long as decoding a file.
    fn is_costly(&self) -> bool {
        !self.dataset.train.in_memory() || self.augment.resized_crop || self.augment.jitter != ColourJitter::NONE
    }

    fn order(&self, epoch: u64) -> Vec<usize> {
        let mut order = self.indices.to_vec();
        order.shuffle(&mut self.streams.rng("data order", epoch));
        order
    }

    fn batch(&self, order: &[usize], epoch: u64, number: usize, cancel: &Cancel) -> Result<Batch, DataError> {
        let start = number * self.batch_size;
        let chosen = &order[start..order.len().min(start + self.batch_size)];
        let images = &self.dataset.train;
        Batch::build(images, chosen, |position, index, out| {
            let random = AugmentRandom { streams: self.streams, epoch, position: start + position };
            images.with_source(index, cancel, |shape, source| {
                self.augment.write(source, shape, images.shape(), &self.normalise, &random, out);
            })
        })
    }
}

/// The batches of one epoch. Dropping it ends its background thread.
#[derive(Debug)]
pub struct EpochBatches {
    /// `Some` until the epoch is dropped.
    receiver: Option<Receiver<Result<Batch, DataError>>>,
    /// `Some` until the thread is joined.
    thread: Option<JoinHandle<()>>,
    /// Stops the decoding of images.
    stop: Arc<AtomicBool>,
    epoch: u64,
    delivered: usize,
    remaining: usize,
}

impl Iterator for EpochBatches {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.remaining == 0 {
            return None;
        }
        match self.receiver.as_ref().and_then(|receiver| receiver.recv().ok()) {
            Some(Ok(batch)) => {
                self.remaining -= 1;
                self.delivered += 1;
                Some(Ok(batch))
            }
            Some(Err(error)) => {
                self.remaining = 0;
                Some(Err(error))
            }
            None => {
                self.remaining = 0;
                Some(Err(DataError::Stopped { epoch: self.epoch, batches: self.delivered }))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl Drop for EpochBatches {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The receiver is dropped first, which wakes up a thread that waits to send.
        self.receiver = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported as `DataError::Stopped`.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
