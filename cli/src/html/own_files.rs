//! Files that a report may replace: those of an earlier report.

use crate::exit::UsageError;
use crate::files;
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
    if earlier_report(&page).is_some() {
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

/// Deletes the data files in `figures` of an earlier report that the new report does not replace, so that the directory
/// holds the files of one report.
///
/// # Errors
/// A file that cannot be deleted.
pub fn remove_earlier(dir: &Path, kept: &[String]) -> Result<()> {
    let Some(page) = earlier_report(&dir.join("report.html")) else { return Ok(()) };
    for name in linked_data(&page).filter(|name| !kept.iter().any(|kept| kept == name)) {
        files::remove(&dir.join(name))?;
    }
    Ok(())
}

/// The data files below `figures` to which a page links.
fn linked_data(page: &str) -> impl Iterator<Item = &str> {
    let links = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    links.filter(|link| {
        let name = link.strip_prefix("figures/").and_then(|name| name.strip_suffix(".csv"));
        name.is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    })
}

/// The text of a report of this version, or of an earlier one, which had no generator but this title. None for another
/// file.
fn earlier_report(path: &Path) -> Option<String> {
    let marks = [format!("<meta name=\"generator\" content=\"{GENERATOR}\">"), "<title>nas-train: ".into()];
    let page = read_file::text(path, LIMIT).ok()?;
    marks.iter().any(|mark| page.contains(mark)).then_some(page)
}
