//! Tests of images on disk against images in memory.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use image::{Rgb, RgbImage};
use tempfile::TempDir;

use super::super::*;
use crate::data::{Batch, Cache, ColourJitter, EvalBatches, Loader, Normalise, Resize, load_until};
use crate::streams::Streams;

/// A folder of three parts with images of different shapes.
fn photos() -> TempDir {
    let dir = TempDir::new().unwrap();
    for number in 0..24u32 {
        let part = ["train", "train", "train", "val", "test", "train"][number as usize % 6];
        let folder = dir.path().join(part).join(["cat", "dog"][number as usize / 6 % 2]);
        fs::create_dir_all(&folder).unwrap();
        let (width, height) = (20 + 3 * (number % 5), 18 + 2 * (number % 7));
        let picture = RgbImage::from_fn(width, height, |x, y| {
            Rgb([(x * 9 + number) as u8, (y * 11) as u8, (x * y + 5 * number) as u8])
        });
        picture.save(folder.join(format!("{number}.{}", ["png", "jpg"][number as usize % 2]))).unwrap();
    }
    dir
}

fn options(dir: &TempDir, cache: Cache, resize: Resize, random: bool) -> DataOptions {
    let colour_jitter = match random {
        true => ColourJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.2 },
        false => ColourJitter::NONE,
    };
    let dir = Some(dir.path().into());
    DataOptions {
        dir,
        image_size: 12,
        cache,
        resize,
        random_resized_crop: random,
        colour_jitter,
        ..DataOptions::default()
    }
}

fn load(options: &DataOptions) -> Arc<Dataset> {
    Arc::new(crate::data::load("folder", options).unwrap())
}

fn loader(dataset: &Arc<Dataset>, options: &DataOptions) -> Loader {
    let all: Vec<usize> = (0..dataset.train.len()).collect();
    let normalise = Normalise::fit(&dataset.train, &all[..11]);
    Loader::new(dataset.clone(), &all, normalise, options.augment(dataset).unwrap(), 5, Streams::new(3)).unwrap()
}

/// Fingerprint, normalisation, training batches of two epochs, and the test images.
fn content(options: &DataOptions, threads: usize) -> (String, Normalise, Vec<Batch>, Vec<Batch>) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let dataset = load(options);
        let loader = loader(&dataset, options);
        let normalise = Normalise::fit(&dataset.train, &[0, 3, 7]);
        let epochs = [(0, 0), (1, 2)].map(|(epoch, first)| loader.epoch(epoch, first).unwrap().map(Result::unwrap));
        let test = dataset.test.as_ref().unwrap();
        let indices: Vec<usize> = (0..test.len()).rev().collect();
        let evaluated = EvalBatches::new(test, &indices, &normalise, 3).unwrap().map(Result::unwrap).collect();
        (dataset.fingerprint(), normalise.clone(), epochs.into_iter().flatten().collect(), evaluated)
    })
}

#[test]
fn caches_and_threads_have_no_influence() {
    let dir = photos();
    for (resize, random) in
        [(Resize::Square, false), (Resize::Square, true), (Resize::Crop, false), (Resize::Crop, true)]
    {
        let expected = content(&options(&dir, Cache::Memory, resize, random), 1);
        assert!(expected.2.len() > 4 && expected.3.len() > 1);
        for (cache, threads) in [(Cache::Memory, 3), (Cache::Disk, 1), (Cache::Disk, 3), (Cache::Auto, 2)] {
            let found = content(&options(&dir, cache, resize, random), threads);
            assert!(found == expected, "{cache:?} {resize:?} {random} {threads}");
        }
    }
    let on_disk = |cache, random| !load(&options(&dir, cache, Resize::Crop, random)).train.in_memory();
    assert!(on_disk(Cache::Disk, false) && on_disk(Cache::Disk, true));
    assert!(!on_disk(Cache::Memory, false) && !on_disk(Cache::Auto, false));
}

#[test]
fn augmentation_has_no_influence_on_the_fingerprint() {
    let dir = photos();
    let of = |resize, random| load(&options(&dir, Cache::Disk, resize, random)).fingerprint();
    let (square, crop) = (of(Resize::Square, false), of(Resize::Crop, false));
    assert_eq!((of(Resize::Square, true), of(Resize::Crop, true)), (square.clone(), crop.clone()));
    assert_ne!(square, crop);
}

#[test]
fn pixels_outside_of_the_crop_change_the_fingerprint() {
    let dir = photos();
    let path = dir.path().join("train/cat/0.png");
    let before = load(&options(&dir, Cache::Memory, Resize::Crop, false));
    let mut picture = image::open(&path).unwrap().into_rgb8();
    picture.put_pixel(0, 0, Rgb([255, 0, 255]));
    picture.save(&path).unwrap();
    let after = load(&options(&dir, Cache::Memory, Resize::Crop, false));
    assert_eq!(after.train.pixels(0).unwrap(), before.train.pixels(0).unwrap());
    assert_ne!(after.fingerprint(), before.fingerprint());
}

#[test]
fn random_windows_are_taken_from_the_whole_image() {
    let dir = TempDir::new().unwrap();
    for class in ["a", "b"] {
        fs::create_dir(dir.path().join(class)).unwrap();
        // The red pixels are outside of the crop.
        let picture = RgbImage::from_fn(64, 16, |x, _| Rgb([if x < 16 { 255 } else { 0 }, 0, 0]));
        picture.save(dir.path().join(class).join("1.png")).unwrap();
    }
    let mut options = options(&dir, Cache::Disk, Resize::Crop, false);
    let red = |options: &DataOptions| {
        let dataset = load(options);
        let augment = options.augment(&dataset).unwrap();
        let keep = Normalise::fit(&dataset.train, &[]);
        let loader = Loader::new(dataset, &[0, 1], keep, augment, 2, Streams::new(0)).unwrap();
        let epochs = (0..20).map(|epoch| loader.epoch(epoch, 0).unwrap().next().unwrap().unwrap());
        epochs.filter(|batch| batch.images.iter().any(|&value| value > 100.0)).count()
    };
    assert_eq!(red(&options), 0);
    options.random_resized_crop = true;
    assert!((1..20).contains(&red(&options)));
}

#[test]
fn files_that_change_or_vanish_are_errors_with_their_names() {
    for whole in [false, true] {
        let dir = photos();
        let options = options(&dir, Cache::Disk, Resize::Crop, whole);
        let dataset = load(&options);
        let loader = loader(&dataset, &options);
        let path = dir.path().join("train/cat/0.png");
        let errors = || -> Vec<DataError> {
            let trained = loader.epoch(0, 0).unwrap().find_map(Result::err);
            [trained, dataset.train.pixels(0).err()].into_iter().flatten().collect()
        };
        assert_eq!(errors().len(), 0);
        let original = fs::read(&path).unwrap();
        fs::copy(dir.path().join("train/cat/2.png"), &path).unwrap();
        let changed = |error: &DataError| matches!(error, DataError::Changed { path: of } if *of == path);
        assert!(errors().len() == 2 && errors().iter().all(changed), "{:?}", errors());
        fs::write(&path, &original[..40]).unwrap();
        assert!(errors().len() == 2 && errors().iter().all(changed), "{:?}", errors());
        fs::remove_file(&path).unwrap();
        let missing = |error: &DataError| matches!(error, DataError::Read { path: of, .. } if *of == path);
        assert!(errors().len() == 2 && errors().iter().all(missing), "{:?}", errors());
        // Restored files may be other files with the same content.
        fs::write(&path, &original).unwrap();
        assert_eq!(errors().len(), 0);
        // An error ends the epoch.
        fs::remove_file(&path).unwrap();
        let mut epoch = loader.epoch(0, 0).unwrap();
        assert!(epoch.by_ref().any(|batch| batch.is_err()) && epoch.next().is_none());
    }
}

#[test]
fn a_request_to_stop_ends_decoding() {
    let dir = photos();
    let options = options(&dir, Cache::Disk, Resize::Crop, true);
    let stopped = load_until("folder", &options, &AtomicBool::new(true)).unwrap_err();
    assert!(matches!(stopped, DataError::Cancelled), "{stopped}");
    let dataset = load(&options);
    let stop = AtomicBool::new(true);
    assert!(matches!(dataset.train.read(0, &Cancel(&stop)), Err(DataError::Cancelled)));
    let used = dataset.train.with_source(0, &Cancel(&stop), |_, _| ());
    assert!(matches!(used, Err(DataError::Cancelled)));
}
