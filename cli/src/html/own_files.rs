//! Files that a report may replace: those of an earlier report.

use crate::exit::UsageError;
use anyhow::Result;
use nas_core::read_file;
use std::path::Path;

/// The content of `<meta name="generator">` in a report.
pub const GENERATOR: &str = "nas-train";
/// The largest size of a page in bytes.
const LIMIT: u64 = 1 << 28;

/// Refuses a directory in which `report.html` is not a report, or in which there is no report but one of its other
/// files.
///
/// # Errors
/// The message names the file.
pub fn check(dir: &Path, others: impl IntoIterator<Item = String>) -> Result<()> {
    let page = dir.join("report.html");
    if is_report(&page) {
        return Ok(());
    }
    match std::iter::once(page).chain(others.into_iter().map(|name| dir.join(name))).find(|path| path.exists()) {
        None => Ok(()),
        Some(path) => Err(UsageError(format!(
            "{} exists and is not from an earlier report; move it, or choose another --out",
            path.display()
        ))
        .into()),
    }
}

/// Whether a file is a report of this version, or of an earlier one, which had no generator but this title.
fn is_report(path: &Path) -> bool {
    let marks = [format!("<meta name=\"generator\" content=\"{GENERATOR}\">"), "<title>nas-train: ".into()];
    read_file::text(path, LIMIT).is_ok_and(|page| marks.iter().any(|mark| page.contains(mark)))
}
