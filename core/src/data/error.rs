//! What can go wrong with data: each error says where, what was expected, what was found and what to do next.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Everything that loading, splitting and feeding data can report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// No data set has this name.
    #[error("unknown data set `{name}`{}; known are {}", nearest.map(|n| format!(", did you mean `{n}`?")).unwrap_or_default(), known.join(", "))]
    Unknown {
        /// The name as given.
        name: String,
        /// The known name that resembles it, if one does.
        nearest: Option<&'static str>,
        /// All known names.
        known: Vec<&'static str>,
    },
    /// The data set is read from files, and no folder was given.
    #[error("data set `{name}` needs a folder (--data-dir DIR): {how}")]
    NoFolder {
        /// The data set.
        name: &'static str,
        /// How to get the files.
        how: &'static str,
    },
    /// A file or folder is missing.
    #[error("cannot find {}: {how}", path.display())]
    Missing {
        /// What was looked for.
        path: PathBuf,
        /// How to get it.
        how: &'static str,
    },
    /// The operating system refused to read a file or folder.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The reason given by the operating system.
        source: io::Error,
    },
    /// A file has the wrong size: truncated, or not the file that its name says.
    #[error("{} has {found} bytes, expected {expected}: {fix}", path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// The size that the format prescribes, in bytes.
        expected: u64,
        /// The size of the file, in bytes.
        found: u64,
        /// What to do.
        fix: &'static str,
    },
    /// A file does not hold what its format prescribes.
    #[error("{}: expected {expected}, found {found}; {fix}", path.display())]
    Content {
        /// The file or folder.
        path: PathBuf,
        /// What the format prescribes.
        expected: String,
        /// What the file has.
        found: String,
        /// What to do.
        fix: &'static str,
    },
    /// A label is not one of the classes.
    #[error("{}: label {label} of image {index} is not below the number of classes {classes}; {fix}", path.display())]
    Label {
        /// The file.
        path: PathBuf,
        /// The position of the image in the file, from 0.
        index: usize,
        /// The label found.
        label: u64,
        /// The number of classes.
        classes: usize,
        /// What to do.
        fix: &'static str,
    },
    /// A file is not a pickle that holds plain values and arrays.
    #[error("{} is not a whole pickle of the official archive: download the archive again", path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
        /// Where decoding stopped.
        source: serde_pickle::Error,
    },
    /// An image file cannot be decoded.
    #[error("cannot decode {} as a jpg or png image: replace or remove it", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What the decoder met.
        source: image::ImageError,
    },
    /// Fewer than two classes have images, so there is nothing to tell apart.
    #[error("the training images show {found} class(es), expected at least 2: {fix}")]
    Classes {
        /// The number of classes with at least one image.
        found: usize,
        /// What to do.
        fix: &'static str,
    },
    /// An option has a value outside its range.
    #[error("{key} is {found}, expected {expected}")]
    Option {
        /// The option as written in a configuration.
        key: &'static str,
        /// The value found.
        found: String,
        /// The values that work.
        expected: String,
    },
    /// The images do not fit in memory.
    #[error("cannot hold {images} images of {bytes} bytes each in memory: use fewer or smaller images")]
    Memory {
        /// The number of images.
        images: usize,
        /// The bytes of one image.
        bytes: usize,
    },
    /// The thread that prepares batches could not be started.
    #[error("cannot start the thread that prepares batches: lower the number of threads of this machine or its load")]
    Thread {
        /// The reason given by the operating system.
        source: io::Error,
    },
    /// The thread that prepares batches ended before its epoch did.
    #[error("the thread that prepares batches stopped after {batches} batches of epoch {epoch}; please report this")]
    Stopped {
        /// The epoch, from 0.
        epoch: u64,
        /// The batches delivered before.
        batches: usize,
    },
}

impl DataError {
    /// An option outside its range.
    pub(crate) fn option(key: &'static str, found: impl fmt::Display, expected: impl Into<String>) -> Self {
        Self::Option { key, found: found.to_string(), expected: expected.into() }
    }
}
