//! Paths of a configuration that is read again in another working directory. TOML holds UTF-8 only, so a path stays
//! relative if the working directory has another name.

use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use nas_core::truth::table_file;
use std::path::{Path, PathBuf};

/// The configuration with absolute paths of its data and of its truth table. The merge of the layers has made those of
/// plugins and initial weights absolute.
///
/// # Errors
/// The working directory does not exist.
pub fn with_absolute_paths(config: &RunConfig) -> Result<RunConfig> {
    let mut config = config.clone();
    if let Some(dir) = &mut config.data.dir {
        *dir = absolute(dir)?;
    }
    if table_file::is_file(&config.truth.table) {
        config.truth.table = absolute(Path::new(&config.truth.table))?.to_string_lossy().into_owned();
    }
    Ok(config)
}

/// The absolute path if it is UTF-8, otherwise the path as it is.
///
/// # Errors
/// The working directory does not exist.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path).with_context(|| format!("the path {}", path.display()))?;
    Ok(if absolute.to_str().is_some() { absolute } else { path.into() })
}
