use std::time::{Duration, Instant};

use super::super::{ImageShape, Images};
use super::*;

const ALL: Augment = Augment { padding: 1, flip: true, cutout: 2, ..Augment::NONE };

/// Images whose pixels all have the index of the image as their value.
fn dataset(count: usize) -> Arc<Dataset> {
    let shape = ImageShape { height: 3, width: 3, channels: 1 };
    let pixels = (0..count).flat_map(|index| vec![index as u8; 9]).collect();
    let train = Images::new(shape, pixels, (0..count as u16).collect());
    Arc::new(Dataset { name: "digits", classes: vec![], train, valid: 0, test: None, augment: ALL, notes: vec![] })
}

fn loader(count: usize, augment: Augment, batch_size: usize, seed: u64) -> Loader {
    let dataset = dataset(count);
    let normalise = Normalise::fit(&dataset.train, &[]);
    let indices: Vec<usize> = (0..count).collect();
    Loader::new(dataset, &indices, normalise, augment, batch_size, Streams::new(seed)).unwrap()
}

fn epoch(loader: &Loader, epoch: u64, first: usize) -> Vec<Batch> {
    loader.epoch(epoch, first).unwrap().collect::<Result<_, _>>().unwrap()
}

fn labels(batches: &[Batch]) -> Vec<usize> {
    batches.iter().flat_map(|batch| batch.labels.clone()).collect()
}

#[test]
fn an_epoch_shows_each_image_once_beside_its_label() {
    let batches = epoch(&loader(12, Augment::NONE, 4, 0), 0, 0);
    assert!(batches.iter().all(|batch| batch.shape == [4, 3, 3, 1]));
    for batch in &batches {
        for (image, &label) in batch.images.chunks(9).zip(&batch.labels) {
            assert!(image.iter().all(|&value| value == label as f32));
        }
    }
    let mut seen = labels(&batches);
    assert_ne!(seen, (0..12).collect::<Vec<_>>());
    seen.sort_unstable();
    assert_eq!(seen, (0..12).collect::<Vec<_>>());
}

#[test]
fn the_incomplete_batch_is_dropped_unless_it_is_the_only_one() {
    assert_eq!(epoch(&loader(11, ALL, 4, 0), 0, 0).len(), 2);
    let small = epoch(&loader(3, ALL, 4, 0), 0, 0);
    assert_eq!((small.len(), small[0].len()), (1, 3));
    assert_eq!(epoch(&loader(0, ALL, 4, 0), 0, 0).len(), 0);
}

#[test]
fn seed_and_epoch_decide_and_nothing_else() {
    let first = loader(20, ALL, 4, 7);
    let expected = epoch(&first, 3, 0);
    for _ in 0..3 {
        assert_eq!(epoch(&first, 3, 0), expected);
    }
    let in_pool = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| epoch(&loader(20, ALL, 4, 7), 3, 0))
    };
    assert_eq!(in_pool(1), expected);
    assert_eq!(in_pool(4), expected);
    // A slow reader gets the same batches.
    let slow = first.epoch(3, 0).unwrap().map(|batch| {
        thread::sleep(Duration::from_millis(3));
        batch.unwrap()
    });
    assert_eq!(slow.collect::<Vec<_>>(), expected);
    assert_ne!(labels(&epoch(&first, 4, 0)), labels(&expected));
    assert_ne!(labels(&epoch(&loader(20, ALL, 4, 8), 3, 0)), labels(&expected));
}

#[test]
fn an_epoch_goes_on_in_its_middle() {
    let loader = loader(20, ALL, 4, 7);
    assert_eq!(epoch(&loader, 2, 3), epoch(&loader, 2, 0)[3..]);
    assert_eq!(epoch(&loader, 2, 5).len(), 0);
    assert_eq!(epoch(&loader, 2, usize::MAX).len(), 0);
}

#[test]
fn augmentation_differs_between_epochs_and_images() {
    let loader = loader(200, ALL, 200, 1);
    let batches = [epoch(&loader, 0, 0), epoch(&loader, 1, 0)];
    let marks = |batch: &Batch| -> Vec<Vec<bool>> {
        let mut images: Vec<_> = batch.labels.iter().copied().zip(batch.images.chunks(9)).collect();
        images.sort_by_key(|&(label, _)| label);
        images.iter().map(|(_, image)| image.iter().map(|&value| value == 0.0).collect()).collect()
    };
    let (a, b) = (marks(&batches[0][0]), marks(&batches[1][0]));
    assert_ne!(a, b);
    assert!(a.iter().any(|mark| *mark != a[1]));
}

#[test]
fn dropping_an_epoch_early_ends_its_thread() {
    let loader = loader(200, ALL, 1, 0);
    let started = Instant::now();
    for taken in [0, 1, 5] {
        let mut epoch = loader.epoch(0, 0).unwrap();
        for _ in 0..taken {
            epoch.next().unwrap().unwrap();
        }
        drop(epoch); // Joins the thread; hangs if the thread does not end.
    }
    // The clones of the loader in the threads were dropped too.
    assert_eq!(Arc::strong_count(&loader.dataset), 1);
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_thread_that_fails_is_an_error_and_then_the_end() {
    let mut epoch = loader(8, ALL, 4, 0).epoch(5, 0).unwrap();
    epoch.next().unwrap().unwrap();
    // A thread that ended early has closed its end of the channel.
    epoch.receiver = Some(sync_channel(1).1);
    let error = epoch.next().unwrap().unwrap_err();
    assert!(matches!(error, DataError::Stopped { epoch: 5, batches: 1 }), "{error}");
    assert!(epoch.next().is_none());
}

#[test]
fn empty_batches_and_unknown_images_are_refused() {
    let dataset = dataset(2);
    let normalise = Normalise::fit(&dataset.train, &[]);
    let make = |indices: &[usize], size| {
        Loader::new(dataset.clone(), indices, normalise.clone(), ALL, size, Streams::new(0)).map(|_| ())
    };
    assert!(make(&[0], 0).is_err());
    assert!(make(&[2], 1).is_err());
    assert!(make(&[1], 1).is_ok());
}
