//! Comparison of the files of a finished run with the row counts and hashes in its manifest.

use super::Incomplete;
use super::content::bytes;
use anyhow::{Context, Result};
use nas_core::sha256;
use serde_json::Value;
use std::path::Path;

/// Checks every file that the manifest lists. The manifests of earlier versions list none.
///
/// # Errors
/// A file is missing or differs from what the run wrote, or it cannot be read.
pub fn check(dir: &Path, manifest: &Value) -> Result<()> {
    for (name, digest) in manifest["files"].as_object().into_iter().flatten() {
        if digest["sha256"].as_str() != Some(&sha256_of(dir, name)?) {
            let problem = difference(dir, name, digest)?;
            return Err(Incomplete::Damaged { file: name.clone(), problem }.into());
        }
    }
    Ok(())
}

/// SHA-256 of a file of any size, or of one in the archive of a packed run.
fn sha256_of(dir: &Path, name: &str) -> Result<String> {
    let path = dir.join(name);
    match path.is_file() {
        true => sha256::of_file(&path).with_context(|| format!("{name} cannot be read")),
        false => Ok(sha256::of(&bytes(dir, name)?)),
    }
}

fn difference(dir: &Path, name: &str, digest: &Value) -> Result<String> {
    if let Some(written) = digest["rows"].as_u64() {
        let rows = csv::Reader::from_reader(&bytes(dir, name)?[..]).byte_records().count() as u64;
        if rows != written {
            return Ok(format!("it has {rows} rows, the run wrote {written}"));
        }
    }
    Ok("its content differs from what the run wrote".into())
}
