//! Paths of a configuration that is read again in another working directory.

use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use nas_core::truth::table_file;

/// The configuration with absolute paths of its data and of its truth table. The merge of the layers has made those of
/// plugins and initial weights absolute.
///
/// # Errors
/// The working directory does not exist.
pub fn with_absolute_paths(config: &RunConfig) -> Result<RunConfig> {
    let mut config = config.clone();
    if let Some(dir) = &mut config.data.dir {
        *dir = std::path::absolute(&dir).with_context(|| format!("the directory {}", dir.display()))?;
    }
    if table_file::is_file(&config.truth.table) {
        // TOML holds UTF-8 only.
        if let Some(path) = std::path::absolute(&config.truth.table)?.to_str() {
            config.truth.table = path.into();
        }
    }
    Ok(config)
}
