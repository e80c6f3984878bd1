//! Errors of directories without a complete run.

/// The reason why a directory holds no complete run. A comparison repeats such a run. Other errors, such as a file
/// without read permission, do not show that the run is incomplete.
#[derive(Debug, thiserror::Error)]
pub enum Incomplete {
    /// There is no `manifest.json`.
    #[error("not a run directory: {found}")]
    NoManifest {
        /// What is there instead, with a suggestion of another directory.
        found: String,
    },
    /// The run ended with this error.
    #[error("the run failed: {0}")]
    Failed(String),
    /// The run was killed or interrupted, or is still in progress. The text is the status in the manifest.
    #[error("the run is unfinished (status {0}); `nas-train resume` continues it")]
    Unfinished(String),
    /// The file with this name does not exist.
    #[error("{0} is missing: restore it, or repeat the run")]
    Missing(String),
    /// A file was cut short or changed.
    #[error("{file} is incomplete or damaged: {problem}")]
    Damaged {
        /// The name of the file.
        file: String,
        /// The difference from a complete file.
        problem: String,
    },
}

impl Incomplete {
    /// Whether files that should be complete are missing or changed. A run that was stopped or failed is not damaged.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Damaged { .. })
    }
}
