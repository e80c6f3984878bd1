//! Error of loading a plugin.

/// A plugin cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("plugin {path}: {problem}")]
pub struct PluginError {
    /// Path of the file.
    pub path: String,
    /// Description of the problem and its solution.
    pub problem: String,
}
