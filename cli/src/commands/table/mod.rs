//! `nas-train table`: the tables of Niu et al. 2021 that compare networks, with own results below them.

mod groups;
mod output;

use crate::args::{TableArgs, TableFormat};
use crate::exit::ExitStatus;
use crate::published::networks;
use crate::text::print;
use anyhow::Result;

/// Prints a published table, and a row for each group of own trainings.
///
/// # Errors
/// A directory that holds no finished training on the data of the table.
pub fn table(args: &TableArgs) -> Result<ExitStatus> {
    let rows = networks(args.table, &groups::groups(args.table, &args.runs)?)?;
    print(&match args.format {
        TableFormat::Text => output::text(args.table, &rows),
        TableFormat::Csv => output::csv(&rows)?,
        TableFormat::Markdown => output::markdown(args.table, &rows),
    })?;
    Ok(ExitStatus::Success)
}
