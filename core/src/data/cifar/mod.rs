//! `cifar10` and `cifar100` from the official archives, binary or python version.
//!
//! <https://www.cs.toronto.edu/~kriz/cifar.html> (Krizhevsky 2009). Both versions store an image as three planes of
//! 32 x 32: red, green, blue.

mod binary;
mod nesting;
mod python;

use std::path::{Path, PathBuf};

use super::{Augment, DataError, DataOptions, Dataset, ImageShape, Images};

const SHAPE: ImageShape = ImageShape { height: 32, width: 32, channels: 3 };
const PLANE: usize = SHAPE.height * SHAPE.width;
const DOWNLOAD_AGAIN: &str = "download the official archive again";

/// The files of an official archive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    name: &'static str,
    /// How to get the files.
    pub(super) how: &'static str,
    classes: usize,
    binary: Files,
    python: Files,
    /// Images in each training file, and in the test file.
    records: (usize, usize),
    /// Bytes before the pixels of a binary record; the last is the label.
    label_bytes: usize,
    /// The entry with the labels in a pickle of images, and with the class names in the pickle of names.
    label_key: &'static str,
    names_key: &'static str,
}

#[derive(Clone, Copy, Debug)]
struct Files {
    folder: &'static str,
    train: &'static [&'static str],
    test: &'static str,
    /// The class names.
    names: &'static str,
}

pub(super) const CIFAR10: Layout = Layout {
    name: "cifar10",
    how: "download https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz (or cifar-10-python.tar.gz), unpack it, \
          and give the folder that holds cifar-10-batches-bin (or cifar-10-batches-py)",
    classes: 10,
    binary: Files {
        folder: "cifar-10-batches-bin",
        train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
        test: "test_batch.bin",
        names: "batches.meta.txt",
    },
    python: Files {
        folder: "cifar-10-batches-py",
        train: &["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"],
        test: "test_batch",
        names: "batches.meta",
    },
    records: (10_000, 10_000),
    label_bytes: 1,
    label_key: "labels",
    names_key: "label_names",
};

pub(super) const CIFAR100: Layout = Layout {
    name: "cifar100",
    how: "download https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz (or cifar-100-python.tar.gz), unpack it, \
          and give the folder that holds cifar-100-binary (or cifar-100-python)",
    classes: 100,
    binary: Files {
        folder: "cifar-100-binary",
        train: &["train.bin"],
        test: "test.bin",
        names: "fine_label_names.txt",
    },
    python: Files { folder: "cifar-100-python", train: &["train"], test: "test", names: "meta" },
    records: (50_000, 10_000),
    label_bytes: 2, // coarse, fine
    label_key: "fine_labels",
    names_key: "fine_label_names",
};

pub(super) fn load10(options: &DataOptions) -> Result<Dataset, DataError> {
    load(&CIFAR10, options)
}

pub(super) fn load100(options: &DataOptions) -> Result<Dataset, DataError> {
    load(&CIFAR100, options)
}

fn load(layout: &Layout, options: &DataOptions) -> Result<Dataset, DataError> {
    let dir = options.folder(layout.name, layout.how)?;
    let (version, folder) = find(layout, dir)?;
    let (files, read, names): (_, Read, fn(&Layout, &Path) -> _) = match version {
        Version::Binary => (layout.binary, binary::read, binary::names),
        Version::Python => (layout.python, python::read, python::names),
    };
    let path = |file| present(layout, folder.join(file));
    let classes: Vec<String> = names(layout, &path(files.names)?)?;
    if classes.len() != layout.classes {
        return Err(DataError::Content {
            path: folder.join(files.names),
            expected: format!("{} class names", layout.classes),
            found: format!("{}", classes.len()),
            fix: DOWNLOAD_AGAIN,
        });
    }
    let mut train = Part::default();
    for file in files.train {
        read(layout, &path(file)?, layout.records.0, &mut train)?;
    }
    let mut test = Part::default();
    read(layout, &path(files.test)?, layout.records.1, &mut test)?;
    Ok(Dataset {
        name: layout.name,
        classes,
        train: Images::new(SHAPE, train.pixels, train.labels),
        test: Some(Images::new(SHAPE, test.pixels, test.labels)),
        augment: Augment { padding: 4, flip: true, cutout: 0 },
    })
}

/// Appends the images of one file, which must hold this many.
type Read = fn(&Layout, &Path, usize, &mut Part) -> Result<(), DataError>;

enum Version {
    Binary,
    Python,
}

/// The archive's folder: `dir` itself or in `dir`; the binary version first.
fn find(layout: &Layout, dir: &Path) -> Result<(Version, PathBuf), DataError> {
    for (version, files) in [(Version::Binary, layout.binary), (Version::Python, layout.python)] {
        let inside = dir.join(files.folder);
        if inside.is_dir() {
            return Ok((version, inside));
        }
        if dir.join(files.train[0]).is_file() {
            return Ok((version, dir.into()));
        }
    }
    Err(DataError::Missing { path: dir.join(layout.binary.folder), how: layout.how })
}

fn present(layout: &Layout, path: PathBuf) -> Result<PathBuf, DataError> {
    if path.is_file() { Ok(path) } else { Err(DataError::Missing { path, how: layout.how }) }
}

/// Training or test images while they are read.
#[derive(Debug, Default, PartialEq)]
struct Part {
    pixels: Vec<u8>,
    labels: Vec<u16>,
}

impl Part {
    /// Adds the image number `index` of the file `path`, given as three planes.
    fn push(&mut self, layout: &Layout, path: &Path, index: usize, label: u64, planes: &[u8]) -> Result<(), DataError> {
        match u16::try_from(label) {
            Ok(small) if usize::from(small) < layout.classes => self.labels.push(small),
            _ => {
                let (path, classes) = (path.into(), layout.classes);
                return Err(DataError::Label { path, index, label, classes, fix: DOWNLOAD_AGAIN });
            }
        }
        let (red, rest) = planes.split_at(PLANE);
        let (green, blue) = rest.split_at(PLANE);
        for ((r, g), b) in red.iter().zip(green).zip(blue) {
            self.pixels.extend([r, g, b]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
