//! Comparison of the files of a finished run with the row counts and hashes in its manifest.

use super::Incomplete;
use super::content::bytes;
use anyhow::Result;
use nas_core::sha256;
use serde_json::Value;
use std::path::Path;

/// Checks every file that the manifest lists. The manifests of earlier versions list none.
///
/// # Errors
/// A file is missing or differs from what the run wrote, or it cannot be read.
pub fn check(dir: &Path, manifest: &Value) -> Result<()> {
    for (name, digest) in manifest["files"].as_object().into_iter().flatten() {
        let content = bytes(dir, name)?;
        if digest["sha256"].as_str() != Some(&sha256::of(&content)) {
            return Err(Incomplete::Damaged { file: name.clone(), problem: difference(&content, digest) }.into());
        }
    }
    Ok(())
}

fn difference(content: &[u8], digest: &Value) -> String {
    let rows = csv::Reader::from_reader(content).byte_records().count() as u64;
    match digest["rows"].as_u64() {
        Some(written) if written != rows => format!("it has {rows} rows, the run wrote {written}"),
        _ => "its content differs from what the run wrote".into(),
    }
}
