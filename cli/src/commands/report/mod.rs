//! `nas-train report`: the HTML page of existing runs.

mod checks;
mod collect;
mod labels;
mod resolved;

use crate::args::ReportArgs;
use crate::comparison::Comparison;
use crate::exit::{ExitStatus, UsageError};
use crate::files;
use crate::html::HtmlReport;
use crate::text::print;
use anyhow::Result;
use collect::CollectedRuns;
use std::path::PathBuf;

/// Writes the report of the given directories. A directory that cannot be read is reported and left out.
///
/// # Errors
/// No directory holds a finished run, the runs have different data or measurements, or a file cannot be written.
pub fn report(args: &ReportArgs) -> Result<ExitStatus> {
    let mut collected = CollectedRuns::default();
    args.runs.iter().for_each(|path| collected.add(path));
    if collected.is_empty() {
        collected.warn();
        return Err(UsageError("none of these directories holds a finished run".into()).into());
    }
    collected.check_comparable()?;
    let (variants, sequences) = (collected.variants(), collected.labelled_sequences());
    collected.warn();
    let comparison = Comparison::new(variants, Vec::new(), collected.budget, collected.notes);
    let out = match (&args.out, &args.runs[..]) {
        (Some(out), _) => out.clone(),
        (None, [only]) => only.clone(),
        (None, _) => PathBuf::from("report"),
    };
    let CollectedRuns { trainings, problems, .. } = collected;
    let report = HtmlReport { comparison: &comparison, sequences, trainings, problems };
    report.check_replaceable(&out)?;
    files::make_dir(&out)?;
    report.write(&out)?;
    print(&format!("{}", out.join("report.html").display()))?;
    Ok(ExitStatus::Success)
}
