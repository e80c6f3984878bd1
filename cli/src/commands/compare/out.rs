//! The output directory of a comparison: refusal of other directories and of files that no comparison made.

use crate::exit::UsageError;
use anyhow::Result;
use nas_core::read_file;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The lock file. Every comparison creates it before its other files, so it shows that those are replaceable.
const LOCK: &str = ".lock";
/// Files and directories that a comparison writes.
const WRITTEN: [&str; 7] =
    ["report.html", "figures", "runs.csv", "comparison.csv", "costs.csv", "comparison.json", "step_times.json"];
/// The largest size of `comparison.json` in bytes.
const LIMIT: u64 = 1 << 28;

/// The path of the lock file of an output directory.
pub fn lock_path(out: &Path) -> PathBuf {
    out.join(LOCK)
}

/// Checks that a comparison may write into a directory, which need not exist.
///
/// # Errors
/// The path is no directory, it is the directory of a single run, or it has a file that a comparison would replace but did
/// not make.
pub fn check(out: &Path) -> Result<()> {
    let refuse = |problem: String| Err(UsageError(format!("{problem} choose another --out")).into());
    match fs::metadata(out) {
        Ok(metadata) if !metadata.is_dir() => return refuse(format!("{} is no directory;", out.display())),
        Err(_) if out.is_symlink() => {
            return refuse(format!("{} is a symbolic link to no directory; create its target, or", out.display()));
        }
        _ => {}
    }
    if out.join("manifest.json").exists() {
        return refuse(format!("{} is the directory of a run;", out.display()));
    }
    let foreign = WRITTEN.iter().map(|name| out.join(name)).find(|path| path.exists());
    match foreign {
        Some(path) if !is_comparison(out) => {
            refuse(format!("{} exists and is not from an earlier comparison; move it, or", path.display()))
        }
        _ => Ok(()),
    }
}

/// Whether a comparison wrote into the directory. Earlier versions left no lock file in some cases, but `comparison.json`.
fn is_comparison(out: &Path) -> bool {
    let written = || {
        let text = read_file::text(&out.join("comparison.json"), LIMIT).ok()?;
        let comparison: Value = serde_json::from_str(&text).ok()?;
        (comparison["schema"].is_u64() && comparison["strategies"].is_array()).then_some(())
    };
    lock_path(out).exists() || written().is_some()
}
