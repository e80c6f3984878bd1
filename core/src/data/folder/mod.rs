//! The data set `folder`: jpg and png images on disk, one folder per class.
//!
//! The layout is `DIR/CLASS/IMAGE`, or `DIR/train/CLASS/IMAGE` with an optional test part `DIR/test/CLASS/IMAGE`. Classes
//! and images are sorted by name, so the same folder gives the same data on every machine. Images are converted to RGB
//! and resized to a square; their aspect ratio is not kept. Hidden files and files with other endings are skipped.

use std::fs;
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use rayon::prelude::*;

use super::dataset::zeroed;
use super::{Augment, DataError, DataOptions, Dataset, ImageShape, Images};

pub(super) const HOW: &str = "put the jpg and png images of each class into a folder of their own, \
    DIR/CLASS/IMAGE.jpg, or DIR/train/CLASS/IMAGE.jpg and DIR/test/CLASS/IMAGE.jpg, and give DIR";

/// Largest number of classes: labels are 16-bit numbers.
const MAX_CLASSES: usize = 65_536;

pub(super) fn load(options: &DataOptions) -> Result<Dataset, DataError> {
    let size = options.image_size;
    if !(1..=1024).contains(&size) {
        return Err(DataError::option("data.image_size", size, "1 to 1024"));
    }
    let dir = options.folder("folder", HOW)?;
    let (train_dir, test_dir) = (dir.join("train"), dir.join("test"));
    let train_dir = if train_dir.is_dir() { train_dir } else { dir.into() };
    let classes = class_names(&train_dir)?;
    let train = read(&train_dir, &classes, size)?;
    let test = if train_dir != dir && test_dir.is_dir() {
        if let Some(other) = class_names(&test_dir)?.into_iter().find(|class| !classes.contains(class)) {
            return Err(DataError::Content {
                path: test_dir,
                expected: "the classes of the training images".into(),
                found: format!("another class, `{other}`"),
                fix: "use the same class names in train and test",
            });
        }
        Some(read(&test_dir, &classes, size)?)
    } else {
        None
    };
    Ok(Dataset { name: "folder", classes, train, test, augment: Augment { padding: 4, flip: true, cutout: 0 } })
}

/// Names of the folders in `dir`, of which there must be at least two.
fn class_names(dir: &Path) -> Result<Vec<String>, DataError> {
    let folders = entries(dir)?.into_iter().filter(|path| path.is_dir());
    let names: Vec<String> = folders.filter_map(|path| Some(path.file_name()?.to_string_lossy().into())).collect();
    match names.len() {
        0 => Err(DataError::Missing { path: dir.join("CLASS"), how: HOW }),
        1 => Err(DataError::Classes { found: 1, fix: HOW }),
        2..=MAX_CLASSES => Ok(names),
        found => Err(DataError::Content {
            path: dir.into(),
            expected: format!("at most {MAX_CLASSES} classes"),
            found: found.to_string(),
            fix: HOW,
        }),
    }
}

/// Paths in `dir` without hidden ones, sorted by name.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, DataError> {
    let io = |source| DataError::Read { path: dir.into(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(io)? {
        let entry = entry.map_err(io)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads all images below `dir`, class by class. Every class with a folder must have an image.
fn read(dir: &Path, classes: &[String], size: usize) -> Result<Images, DataError> {
    let mut files = Vec::new();
    for (label, class) in classes.iter().enumerate() {
        let folder = dir.join(class);
        if !folder.is_dir() {
            continue; // The test part may lack classes.
        }
        let before = files.len();
        let images = entries(&folder)?.into_iter().filter(|path| is_image(path));
        files.extend(images.map(|path| (path, label as u16)));
        if files.len() == before {
            return Err(DataError::Missing { path: folder.join("IMAGE.jpg"), how: HOW });
        }
    }
    let shape = ImageShape { height: size, width: size, channels: 3 };
    let mut pixels = zeroed(files.len(), shape)?;
    let places = pixels.par_chunks_exact_mut(shape.values()).zip(&files);
    // The first error in the order of files, so that the message does not depend on threads.
    match places.find_map_first(|(place, (path, _))| decode(path, size as u32, place).err()) {
        Some(error) => Err(error),
        None => Ok(Images::new(shape, pixels, files.into_iter().map(|(_, label)| label).collect())),
    }
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
    extension.is_some_and(|extension| ["jpg", "jpeg", "png"].iter().any(|known| extension == *known)) && !path.is_dir()
}

/// Decodes one image into `place`, `[size, size, 3]`. The format is recognised by the content, not by the file name.
fn decode(path: &Path, size: u32, place: &mut [u8]) -> Result<(), DataError> {
    let io = |source| DataError::Read { path: path.into(), source };
    let reader = image::ImageReader::open(path).map_err(io)?.with_guessed_format().map_err(io)?;
    let image = reader.decode().map_err(|source| DataError::Decode { path: path.into(), source })?.into_rgb8();
    if image.dimensions() == (size, size) {
        place.copy_from_slice(&image);
    } else {
        place.copy_from_slice(&image::imageops::resize(&image, size, size, FilterType::Triangle));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
