//! Batches of training images, prepared by a thread of their own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use rand::seq::SliceRandom;

use super::batch::check_batch_size;
use super::{Augment, Batch, DataError, Dataset, Normalise};
use crate::streams::Streams;

/// Batches that may be ready before they are asked for.
const PREFETCH: usize = 3;

/// The training images, newly shuffled and augmented in every epoch.
///
/// Order and changes of an epoch depend on the seed of the streams and on the epoch alone (streams `data order` and
/// `augmentation`), not on threads, speed or earlier epochs; so a run can go on in the middle of an epoch.
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
    /// A loader of the images of `dataset.train` at `indices`, `batch_size` at a time.
    pub fn new(
        dataset: Arc<Dataset>,
        indices: &[usize],
        normalise: Normalise,
        augment: Augment,
        batch_size: usize,
        streams: Streams,
    ) -> Result<Self, DataError> {
        check_batch_size(batch_size)?;
        if let Some(index) = indices.iter().find(|&&index| index >= dataset.train.len()) {
            return Err(DataError::option("index of an image", index, format!("less than {}", dataset.train.len())));
        }
        Ok(Self { dataset, indices: indices.into(), normalise: Arc::new(normalise), augment, batch_size, streams })
    }

    /// The number of images.
    pub fn images(&self) -> usize {
        self.indices.len()
    }

    /// The batches of an epoch: whole ones only, so that every step sees the same number of images. With fewer images
    /// than one whole batch, all of them are one small batch.
    pub fn batches(&self) -> usize {
        (self.indices.len() / self.batch_size).max(usize::from(!self.indices.is_empty()))
    }

    /// Starts epoch `epoch` at its batch number `first`, both from 0.
    pub fn epoch(&self, epoch: u64, first: usize) -> Result<Epoch, DataError> {
        let (sender, receiver) = sync_channel(PREFETCH);
        let loader = self.clone();
        let prepare = move || {
            let order = loader.order(epoch);
            for number in first..loader.batches() {
                // the receiver is gone when the epoch was dropped: nobody wants the rest
                if sender.send(loader.batch(&order, epoch, number)).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new()
            .name("batches".into())
            .spawn(prepare)
            .map_err(|source| DataError::Thread { source })?;
        let remaining = self.batches().saturating_sub(first);
        Ok(Epoch { receiver: Some(receiver), thread: Some(thread), epoch, delivered: 0, remaining })
    }

    fn order(&self, epoch: u64) -> Vec<usize> {
        let mut order = self.indices.to_vec();
        order.shuffle(&mut self.streams.rng("data order", epoch));
        order
    }

    fn batch(&self, order: &[usize], epoch: u64, number: usize) -> Batch {
        let start = number * self.batch_size;
        let chosen = &order[start..order.len().min(start + self.batch_size)];
        let images = &self.dataset.train;
        let mut rng = self.streams.rng("augmentation", epoch);
        Batch::build(images, chosen, |position, image, out| {
            // each image has its own place in the stream, so that its changes do not depend on those before
            rng.set_word_pos((start + position) as u128 * Augment::WORDS);
            self.augment.extend(image, images.shape(), &self.normalise, &mut rng, out);
        })
    }
}

/// The batches of one epoch. Dropping it ends its thread.
#[derive(Debug)]
pub struct Epoch {
    /// Present until dropped.
    receiver: Option<Receiver<Batch>>,
    /// Present until joined.
    thread: Option<JoinHandle<()>>,
    epoch: u64,
    delivered: usize,
    remaining: usize,
}

impl Iterator for Epoch {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.remaining == 0 {
            return None;
        }
        match self.receiver.as_ref().and_then(|receiver| receiver.recv().ok()) {
            Some(batch) => {
                self.remaining -= 1;
                self.delivered += 1;
                Some(Ok(batch))
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

impl Drop for Epoch {
    fn drop(&mut self) {
        // first the receiver: a thread that waits to send wakes up and ends
        self.receiver = None;
        if let Some(thread) = self.thread.take() {
            // a thread that panicked has been reported as `DataError::Stopped`
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
#[path = "loader_tests.rs"]
mod tests;
