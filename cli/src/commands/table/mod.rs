//! `nas-train table`: the tables of Niu et al. 2021 that compare networks, with own results beside them.

mod output;
mod rows;

use crate::args::{TableArgs, TableFormat};
use crate::exit::ExitStatus;
use crate::text::print;
use anyhow::Result;

/// Prints a published table.
pub fn table(args: &TableArgs) -> Result<ExitStatus> {
    let rows = rows::published(args.table)?;
    print(&match args.format {
        TableFormat::Text => output::text(args.table, &rows),
        TableFormat::Csv => output::csv(&rows)?,
        TableFormat::Markdown => output::markdown(args.table, &rows),
    })?;
    Ok(ExitStatus::Success)
}
