//! The output directory of a comparison: refusal of other directories and of files that no comparison made.

use crate::comparison::is_comparison;
use crate::exit::UsageError;
use anyhow::Result;
use std::fs;
use std::path::Path;

/// Files and directories that a comparison writes.
const WRITTEN: [&str; 7] =
    ["report.html", "figures", "runs.csv", "comparison.csv", "costs.csv", "comparison.json", "step_times.json"];

/// Checks that a comparison may write into a directory, which need not exist.
///
/// # Errors
/// The path is not a directory, it is the directory of a single run, or it has a file that a comparison would replace
/// but did not make.
pub fn check(out: &Path) -> Result<()> {
    let refuse = |problem: String| Err(UsageError(format!("{problem} choose another --out")).into());
    match fs::metadata(out) {
        Ok(metadata) if !metadata.is_dir() => return refuse(format!("{} is not a directory;", out.display())),
        Err(_) if out.is_symlink() => {
            return refuse(format!(
                "{} is a symbolic link without a target directory; create the target, or",
                out.display()
            ));
        }
        _ => {}
    }
    if out.join("manifest.json").exists() {
        return refuse(format!("{} is the directory of a run;", out.display()));
    }
    let unrecognised = WRITTEN.iter().map(|name| out.join(name)).find(|path| path.exists());
    match unrecognised {
        Some(path) if !is_comparison(out) => {
            refuse(format!("{} exists and is not from an earlier comparison; move it, or", path.display()))
        }
        _ => Ok(()),
    }
}
