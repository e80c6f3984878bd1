//! Directories whose run has not come to its end, or whose files are not whole.

/// Why a directory holds no whole run. Whatever else goes wrong, such as a file that may not be read, says nothing about
/// the run.
#[derive(Debug, thiserror::Error)]
pub enum Incomplete {
    /// Nothing was started there.
    #[error("no run directory: it has no manifest.json{hint}")]
    NoManifest {
        /// Where a run is instead; empty if none is near.
        hint: String,
    },
    /// It stopped with an error.
    #[error("the run failed: {0}")]
    Failed(String),
    /// It was killed or interrupted, or is still running.
    #[error("the run is unfinished (status {0})")]
    Unfinished(String),
    /// A file is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// A file has lost its end, or was changed.
    #[error("{file} is torn or damaged: {problem}")]
    Torn {
        /// Its name.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
}
