//! Errors of saved state on the disk.

use std::io;
use std::path::{Path, PathBuf};

/// A file of a checkpoint, or a file of weights, that cannot be written, read or used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CheckpointError {
    /// A file that cannot be written.
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A file that cannot be read.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file whose content is damaged.
    #[error("{}: {problem}", path.display())]
    Content { path: PathBuf, problem: String },
    /// An undamaged file with the weights of another network.
    #[error("{}: {problem}", path.display())]
    OtherNetwork { path: PathBuf, problem: String },
    /// An undamaged checkpoint in the format of another version of nas-train.
    #[error(
        "{} has format {found}, this version of nas-train reads format {expected}: use the version that wrote it",
        path.display()
    )]
    Format { path: PathBuf, found: String, expected: u64 },
}

impl CheckpointError {
    pub(super) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Write { path: path.into(), source }
    }

    pub(super) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Read { path: path.into(), source }
    }

    pub(super) fn content(path: &Path, problem: impl Into<String>) -> Self {
        Self::Content { path: path.into(), problem: problem.into() }
    }
}
