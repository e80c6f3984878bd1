//! Recognition of the directory of a comparison.

use nas_core::read_file;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The lock file. Every comparison creates it before its other files, so it shows that those are replaceable.
const LOCK: &str = ".lock";
/// The largest size of `comparison.json` in bytes.
const LIMIT: u64 = 1 << 28;

/// The path of the lock file of an output directory.
pub fn lock_path(out: &Path) -> PathBuf {
    out.join(LOCK)
}

/// Whether a comparison wrote into the directory. Earlier versions left no lock file in some cases, but
/// `comparison.json`.
pub fn is_comparison(out: &Path) -> bool {
    let written = || {
        let text = read_file::text(&out.join("comparison.json"), LIMIT).ok()?;
        let comparison: Value = serde_json::from_str(&text).ok()?;
        (comparison["schema"].is_u64() && comparison["strategies"].is_array()).then_some(())
    };
    lock_path(out).exists() || written().is_some()
}
