//! Comparison of the files of a finished run with the row counts and hashes in its manifest.

use super::Incomplete;
use super::content::bytes;
use anyhow::{Context, Result};
use nas_core::sha256;
use serde_json::Value;
use std::path::Path;

const OTHER_CONTENT: &str = "its content differs from what the run wrote";

/// Checks every file that the manifest lists. The manifests of earlier versions list none.
///
/// # Errors
/// A file is missing or differs from what the run wrote, or it cannot be read.
pub fn check(dir: &Path, manifest: &Value) -> Result<()> {
    for (name, digest) in manifest["files"].as_object().into_iter().flatten() {
        if let Some(sha256) = weights_digest(dir, name)? {
            if digest["sha256"].as_str() != Some(&sha256) {
                return Err(Incomplete::Damaged { file: name.clone(), problem: OTHER_CONTENT.into() }.into());
            }
            continue;
        }
        let content = bytes(dir, name)?;
        if digest["sha256"].as_str() != Some(&sha256::of(&content)) {
            return Err(Incomplete::Damaged { file: name.clone(), problem: difference(&content, digest) }.into());
        }
    }
    Ok(())
}

/// SHA-256 of a file with weights, whose size has no limit. `None` for other files, and for those of a packed run.
fn weights_digest(dir: &Path, name: &str) -> Result<Option<String>> {
    let path = dir.join(name);
    if !name.ends_with(".safetensors") || !path.is_file() {
        return Ok(None);
    }
    Ok(Some(sha256::of_file(&path).with_context(|| format!("{name} cannot be read"))?))
}

fn difference(content: &[u8], digest: &Value) -> String {
    let rows = csv::Reader::from_reader(content).byte_records().count() as u64;
    match digest["rows"].as_u64() {
        Some(written) if written != rows => format!("it has {rows} rows, the run wrote {written}"),
        _ => OTHER_CONTENT.into(),
    }
}
