//! The truth table of a configuration.

use crate::config::{ConfigError, TruthConfig};
use crate::data::Dataset;
use crate::space::SearchSpace;
use crate::trainer::RunError;
use crate::truth::{BenchmarkTable, MeasuredTable, TruthError, TruthTable, data_fingerprint, table_file};
use std::path::Path;
use std::sync::Arc;

/// Finds the table that `truth.table` names: a CSV file, a column of the space's embedded tables, or `auto`. `None` for
/// `auto` and a space without an embedded table.
///
/// `auto` prefers stand-alone accuracies on the data set of the run, then the embedded test accuracy on that data set,
/// then the default column of the space's table.
///
/// # Errors
/// An unknown column, a file that cannot be read, a damaged configuration beside it, or a table that was trained on
/// other data.
pub fn find_table(
    config: &TruthConfig,
    space: &Arc<dyn SearchSpace>,
    dataset: &Dataset,
) -> Result<Option<TruthTable>, RunError> {
    let name = config.table.as_str();
    let path = Path::new(name);
    let normalise = |text: &str| space.parse(text).map(|arch| space.format(&arch));
    let stand_alone = match name {
        "auto" => MeasuredTable::find(space.name(), dataset.name),
        _ => MeasuredTable::column(space.name(), name),
    };
    if let Some(table) = stand_alone {
        return Ok(Some(table.truth(normalise)?));
    }
    if table_file::is_file(name) {
        check_data(path, dataset)?;
        return Ok(Some(TruthTable::load(path, space.name(), config.unit, normalise)?));
    }
    let Some(embedded) = BenchmarkTable::for_space(space.name()) else {
        return match name {
            "auto" => Ok(None),
            _ => {
                let expected = format!("`auto` or a CSV file (space {} has no embedded table)", space.name());
                Err(ConfigError::Range { key: "truth.table", expected, found: name.into() }.into())
            }
        };
    };
    let of_data = format!("{}_test", dataset.name);
    let column = match name {
        "auto" if embedded.column(&of_data).is_ok() => &of_data,
        "auto" => embedded.default_column,
        _ => name,
    };
    Ok(Some(embedded.truth(column)?))
}

/// Refuses a table that was trained on data with another fingerprint, where the table's is known.
fn check_data(path: &Path, dataset: &Dataset) -> Result<(), TruthError> {
    let Some(of_table) = data_fingerprint(path)? else { return Ok(()) };
    let of_run = dataset.fingerprint();
    if of_table == of_run { Ok(()) } else { Err(TruthError::OtherData { path: path.into(), of_table, of_run }) }
}
