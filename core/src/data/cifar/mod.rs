//! The data sets `cifar10` and `cifar100`, read from the official archives in the binary or the python version.
//!
//! <https://www.cs.toronto.edu/~kriz/cifar.html> (Krizhevsky 2009). Both versions store an image as three planes of
//! 32 x 32: red, green, blue.

mod binary;
mod cost;
mod python;

use std::path::{Path, PathBuf};

use super::registry::Cancel;
use super::{Augment, DataError, DataOptions, Dataset, ImageShape, Images};

const SHAPE: ImageShape = ImageShape { height: 32, width: 32, channels: 3 };
const PLANE: usize = SHAPE.height * SHAPE.width;
/// Largest size of the file with the class names, in bytes.
const MAX_NAMES: u64 = 1 << 20;
const DOWNLOAD_AGAIN: &str = "download the official archive again";

/// Files and format of an official archive.
#[derive(Clone, Copy, Debug)]
pub(super) struct ArchiveLayout {
    name: &'static str,
    /// Instructions to get the files.
    pub(super) instructions: &'static str,
    classes: usize,
    binary: ArchiveFiles,
    python: ArchiveFiles,
    /// Number of images in each training file, and in the test file.
    records: (usize, usize),
    /// Number of bytes before the pixels of a binary record; the last of them is the label.
    label_bytes: usize,
    /// Keys of the labels in a pickle of images, and of the class names in the pickle of names.
    label_key: &'static str,
    names_key: &'static str,
}

#[derive(Clone, Copy, Debug)]
struct ArchiveFiles {
    folder: &'static str,
    train: &'static [&'static str],
    test: &'static str,
    /// File with the class names.
    names: &'static str,
}

pub(super) const CIFAR10: ArchiveLayout = ArchiveLayout {
    name: "cifar10",
    instructions: "download https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz (or cifar-10-python.tar.gz), unpack it, \
          and pass the folder that holds cifar-10-batches-bin (or cifar-10-batches-py) as --data-dir",
    classes: 10,
    binary: ArchiveFiles {
        folder: "cifar-10-batches-bin",
        train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
        test: "test_batch.bin",
        names: "batches.meta.txt",
    },
    python: ArchiveFiles {
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

pub(super) const CIFAR100: ArchiveLayout = ArchiveLayout {
    name: "cifar100",
    instructions: "download https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz (or cifar-100-python.tar.gz), unpack it, \
          and pass the folder that holds cifar-100-binary (or cifar-100-python) as --data-dir",
    classes: 100,
    binary: ArchiveFiles {
        folder: "cifar-100-binary",
        train: &["train.bin"],
        test: "test.bin",
        names: "fine_label_names.txt",
    },
    python: ArchiveFiles { folder: "cifar-100-python", train: &["train"], test: "test", names: "meta" },
    records: (50_000, 10_000),
    label_bytes: 2, // Coarse and fine label.
    label_key: "fine_labels",
    names_key: "fine_label_names",
};

pub(super) fn load10(options: &DataOptions, cancel: &Cancel) -> Result<Dataset, DataError> {
    load(&CIFAR10, options, cancel)
}

pub(super) fn load100(options: &DataOptions, cancel: &Cancel) -> Result<Dataset, DataError> {
    load(&CIFAR100, options, cancel)
}

fn load(layout: &ArchiveLayout, options: &DataOptions, cancel: &Cancel) -> Result<Dataset, DataError> {
    let dir = options.folder(layout.name, layout.instructions)?;
    let (version, folder) = find(layout, dir)?;
    let (files, read, names): (_, Read, fn(&ArchiveLayout, &Path) -> _) = match version {
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
    let mut train = PartialImages::default();
    for file in files.train {
        cancel.check()?;
        read(layout, &path(file)?, layout.records.0, &mut train)?;
    }
    let mut test = PartialImages::default();
    read(layout, &path(files.test)?, layout.records.1, &mut test)?;
    Ok(Dataset {
        name: layout.name,
        classes,
        train: Images::new(SHAPE, train.pixels, train.labels),
        valid: 0,
        test: Some(Images::new(SHAPE, test.pixels, test.labels)),
        augment: Augment { padding: 4, flip: true, ..Augment::NONE },
        notes: Vec::new(),
    })
}

/// Reads one file with the given number of images and appends them.
type Read = fn(&ArchiveLayout, &Path, usize, &mut PartialImages) -> Result<(), DataError>;

enum Version {
    Binary,
    Python,
}

/// Finds the folder of the archive: `dir` itself or a folder in it. If both versions exist, the binary one is taken.
fn find(layout: &ArchiveLayout, dir: &Path) -> Result<(Version, PathBuf), DataError> {
    for (version, files) in [(Version::Binary, layout.binary), (Version::Python, layout.python)] {
        let inside = dir.join(files.folder);
        if inside.is_dir() {
            return Ok((version, inside));
        }
        if dir.join(files.train[0]).is_file() {
            return Ok((version, dir.into()));
        }
    }
    Err(DataError::Missing { path: dir.join(layout.binary.folder), instructions: layout.instructions })
}

fn present(layout: &ArchiveLayout, path: PathBuf) -> Result<PathBuf, DataError> {
    if path.is_file() { Ok(path) } else { Err(DataError::Missing { path, instructions: layout.instructions }) }
}

/// Images and labels of the files that have been read so far.
#[derive(Debug, Default, PartialEq)]
struct PartialImages {
    pixels: Vec<u8>,
    labels: Vec<u16>,
}

impl PartialImages {
    /// Appends image number `index` of the file `path`, given as three planes, and checks its label.
    fn push(
        &mut self,
        layout: &ArchiveLayout,
        path: &Path,
        index: usize,
        label: u64,
        planes: &[u8],
    ) -> Result<(), DataError> {
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
