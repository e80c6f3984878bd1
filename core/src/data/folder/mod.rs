//! The data set `folder`: images on disk, one folder per class.
//!
//! The layout is `DIR/CLASS/IMAGE`, or `DIR/train/CLASS/IMAGE` with an optional validation part in `DIR/val` and an
//! optional test part in `DIR/test`, or with other names in [`PARTS`]. Classes and images are sorted by name, so the
//! same folder gives the same data on every machine.
//!
//! The files are those that torchvision's `ImageFolder` reads: images in folders of any depth below the folder of their
//! class, with the extensions in [`files::EXTENSIONS`]. Hidden files are not read. Images are converted to RGB and
//! resized to a square, by [`Resize`](super::Resize). They are held in memory, or decoded whenever they are used, by
//! [`Cache`](super::Cache).

mod decode;
mod file_images;
mod files;
mod jpeg;
mod read;
mod resize;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::registry::Cancel;
use super::{Augment, DataError, DataOptions, Dataset};
pub(super) use file_images::FileImages;
use files::{ImageFiles, SkippedFiles};
use read::Reader;

pub(super) const INSTRUCTIONS: &str = "put the images of each class (jpg, jpeg, png, ppm, pgm, bmp, tif, tiff or webp) into a folder \
    of their own, DIR/CLASS/IMAGE.jpg, or DIR/train/CLASS/IMAGE.jpg with DIR/val and DIR/test beside train, and give DIR";

/// Names of the folders with the training, validation and test part. Capitals are accepted too.
const PARTS: [(&str, &[&str]); 3] = [
    ("training", &["train", "training"]),
    ("validation", &["val", "valid", "validation"]),
    ("test", &["test", "testing"]),
];

pub(super) fn load(options: &DataOptions, cancel: &Cancel) -> Result<Dataset, DataError> {
    let size = options.image_size;
    if !(1..=1024).contains(&size) {
        return Err(DataError::option("data.image_size", size, "1 to 1024"));
    }
    let dir = options.folder("folder", INSTRUCTIONS)?;
    let parts = Parts::of(dir)?;
    let classes = files::classes(&parts.train)?;
    let mut skipped = SkippedFiles::default();
    if parts.train != dir {
        skipped.beside(dir, &parts)?;
    }
    let mut list = |part: &Path| files::list(part, &classes, &mut skipped, cancel);
    let mut train = list(&parts.train)?;
    train.require_every_class(&parts.train, &classes)?;
    let valid = parts.valid.as_deref().map(&mut list).transpose()?;
    let test = parts.test.as_deref().map(&mut list).transpose()?;
    let own_valid = valid.as_ref().map_or(0, ImageFiles::len);
    train.extend(valid);
    let reader = Reader::new(options, &[Some(&train), test.as_ref()].into_iter().flatten().collect::<Vec<_>>(), cancel);
    Ok(Dataset {
        name: "folder",
        classes: classes.iter().map(|class| files::display(class)).collect(),
        train: reader.read(train)?,
        valid: own_valid,
        test: test.map(|test| reader.read(test)).transpose()?,
        augment: Augment { padding: 4, flip: true, ..Augment::NONE },
        notes: skipped.notes(),
    })
}

/// The folders with the parts of the data set.
struct Parts {
    train: PathBuf,
    valid: Option<PathBuf>,
    test: Option<PathBuf>,
}

impl Parts {
    /// Finds the parts. Without a folder that is named as a part, all folders of `dir` are classes.
    fn of(dir: &Path) -> Result<Self, DataError> {
        let folders = files::folder_names(dir)?;
        let named = |names: &[&str]| -> Vec<&OsString> {
            folders.iter().filter(|folder| names.iter().any(|name| folder.eq_ignore_ascii_case(name))).collect()
        };
        let found = PARTS.map(|(_, names)| named(names));
        let list = |folders: &[&OsString]| {
            folders.iter().map(|folder| format!("`{}`", files::display(folder))).collect::<Vec<_>>().join(" and ")
        };
        if let Some((part, (kind, _))) = found.iter().zip(PARTS).find(|(part, _)| part.len() > 1) {
            return Err(DataError::Content {
                path: dir.join(part[1]),
                expected: format!("one folder with {kind} images"),
                found: list(part),
                fix: "remove or rename one of them",
            });
        }
        let [train, valid, test] = &found.each_ref().map(|part| part.first().map(|name| dir.join(name)));
        match train {
            Some(train) => Ok(Self { train: train.clone(), valid: valid.clone(), test: test.clone() }),
            None if valid.is_none() && test.is_none() => Ok(Self { train: dir.into(), valid: None, test: None }),
            None => Err(DataError::Content {
                path: dir.into(),
                expected: "a folder `train` beside a validation or test part".into(),
                found: list(&found.concat()),
                fix: "name the folder of the training images `train`; if these folders are classes, rename them",
            }),
        }
    }
}

#[cfg(test)]
mod tests;
