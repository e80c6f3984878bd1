//! Errors of data sets. Each message names the place, the expected and the found content, and a remedy.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::quote::{quote, value};

/// Errors of loading, splitting and batching data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A name that no data set has.
    #[error("unknown data set `{}`{hint}; known: {}", quote(name), known.join(", "))]
    Unknown {
        /// Name that was given.
        name: String,
        /// `, did you mean ...?` with the nearest name; empty where none is near.
        hint: String,
        /// All registered names.
        known: Vec<&'static str>,
    },
    /// A data set that reads files, without a folder.
    #[error("data set `{name}` needs a folder (--data-dir DIR): {instructions}")]
    NoFolder {
        /// Name of the data set.
        name: &'static str,
        /// Instructions to get the files.
        instructions: &'static str,
    },
    /// A folder of a data set that does not exist, or is a file.
    #[error("cannot find the folder {}: correct --data-dir (`nas-train describe {name}` lists the files of the data set)", path.display())]
    MissingFolder {
        /// Name of the data set.
        name: &'static str,
        /// Path that was given.
        path: PathBuf,
    },
    /// A missing file or folder.
    #[error("cannot find {}: {instructions}", path.display())]
    Missing {
        /// Path of the missing file or folder.
        path: PathBuf,
        /// Instructions to get it.
        instructions: &'static str,
    },
    /// A file or folder that cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Path of the file or folder.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// A file whose content is another than when the data set was read.
    #[error("{} has changed since the data set was read: restore the file, or start a new run with the changed data", path.display())]
    Changed {
        /// Path of the file.
        path: PathBuf,
    },
    /// A file of the wrong size: it is truncated or has a different content.
    #[error("{} has {found} bytes, expected {expected}: {fix}", path.display())]
    Size {
        /// Path of the file.
        path: PathBuf,
        /// Size that the format requires, in bytes.
        expected: u64,
        /// Size of the file, in bytes.
        found: u64,
        /// Remedy.
        fix: &'static str,
    },
    /// A file whose content does not follow its format.
    #[error("{}: expected {expected}, found {}; {fix}", path.display(), quote(found))]
    Content {
        /// Path of the file or folder.
        path: PathBuf,
        /// Content that the format requires.
        expected: String,
        /// Content of the file.
        found: String,
        /// Remedy.
        fix: &'static str,
    },
    /// A label that is not one of the classes.
    #[error("{}: image {index}: expected a label below {classes}, the number of classes, found {label}; {fix}", path.display())]
    Label {
        /// Path of the file.
        path: PathBuf,
        /// Position of the image in the file, from 0.
        index: usize,
        /// Label of the image.
        label: u64,
        /// Number of classes.
        classes: usize,
        /// Remedy.
        fix: &'static str,
    },
    /// Data with another fingerprint than the configuration requires.
    #[error(
        "data set `{name}` has the fingerprint {found}, expected {} (data.fingerprint): use the original files, or leave \
         data.fingerprint out to use other data",
        quote(expected)
    )]
    Fingerprint {
        /// Name of the data set.
        name: &'static str,
        /// Fingerprint of the configuration.
        expected: String,
        /// Fingerprint of the data.
        found: String,
    },
    /// Test images of a data set that has none.
    #[error("data set `{name}` has no test images: evaluate on the validation images (leave --test out)")]
    NoTest {
        /// Name of the data set.
        name: &'static str,
    },
    /// A request to stop while data were read.
    #[error("stopped while the data set was read")]
    Cancelled,
    /// A file that is not a pickle of plain values and arrays.
    #[error("{} is not a complete pickle of the official archive: download the archive again", path.display())]
    Pickle {
        /// Path of the file.
        path: PathBuf,
        /// Error of the decoder.
        source: serde_pickle::Error,
    },
    /// An image file that cannot be decoded.
    #[error("cannot decode {}: replace or remove it", path.display())]
    Decode {
        /// Path of the file.
        path: PathBuf,
        /// Error of the decoder.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Training images of fewer than two classes.
    #[error("expected training images of at least 2 classes, found classes: {found}; {fix}")]
    Classes {
        /// Number of classes with at least one image.
        found: usize,
        /// Remedy.
        fix: &'static str,
    },
    /// An option outside its range.
    #[error("{key}: expected {expected}, found {}", value(found))]
    Option {
        /// Dotted key of the option.
        key: &'static str,
        /// Value that was given.
        found: String,
        /// Range of valid values.
        expected: String,
    },
    /// Images that do not fit in memory.
    #[error("cannot hold {images} images of {bytes} bytes each in memory: use fewer or smaller images")]
    Memory {
        /// Number of images.
        images: usize,
        /// Size of one image, in bytes.
        bytes: usize,
    },
    /// Failure to start the thread that prepares batches.
    #[error("cannot start the threads that prepare batches: use fewer threads (--threads), or end other programs")]
    Thread {
        /// Error of the operating system.
        source: io::Error,
    },
    /// End of the thread that prepares batches before the end of its epoch.
    #[error("the thread that prepares batches stopped after {batches} batches of epoch {epoch}; please report this")]
    Stopped {
        /// Epoch, from 0.
        epoch: u64,
        /// Number of batches that it delivered.
        batches: usize,
    },
}

impl DataError {
    /// Builds the error for an option outside its range.
    pub(crate) fn option(key: &'static str, found: impl fmt::Display, expected: impl Into<String>) -> Self {
        Self::Option { key, found: found.to_string(), expected: expected.into() }
    }
}
