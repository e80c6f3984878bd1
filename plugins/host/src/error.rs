//! A plugin that cannot be used.

/// A plugin that cannot be loaded: which file, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("plugin {path}: {problem}")]
pub struct PluginError {
    /// The file.
    pub path: String,
    /// What is wrong, and what to do.
    pub problem: String,
}
