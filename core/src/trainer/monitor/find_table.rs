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
        let table = TruthTable::load(path, space.name(), config.unit, normalise)?;
        // A resumed run and a task of a cluster may name the file by another path.
        return Ok(Some(TruthTable { name: table_file::without_directory(name).to_owned(), ..table }));
    }
    let Some(embedded) = BenchmarkTable::for_space(space.name()) else {
        return if name == "auto" { Ok(None) } else { Err(no_embedded_table(space.name(), name).into()) };
    };
    let of_data = format!("{}_test", dataset.name);
    let column = match name {
        "auto" if embedded.column(&of_data).is_ok() => &of_data,
        "auto" => embedded.default_column,
        _ => name,
    };
    Ok(Some(embedded.truth(column)?))
}

/// Checks that `truth.table` is `auto`, a CSV file, or a column with accuracies of the space's embedded tables. Reads no
/// file.
///
/// # Errors
/// An unknown column, or one of other values.
pub fn check_table_name(config: &TruthConfig, space: &str) -> Result<(), RunError> {
    let name = config.table.as_str();
    if name == "auto" || table_file::is_file(name) || MeasuredTable::column(space, name).is_some() {
        return Ok(());
    }
    let embedded = BenchmarkTable::for_space(space).ok_or_else(|| no_embedded_table(space, name))?;
    Ok(embedded.truth(name).map(drop)?)
}

fn no_embedded_table(space: &str, name: &str) -> ConfigError {
    let expected = format!("`auto` or a CSV file (space {space} has no embedded table)");
    ConfigError::Range { key: "truth.table", expected, found: name.into() }
}

/// Refuses a table that was trained on data with another fingerprint, where the table's is known.
fn check_data(path: &Path, dataset: &Dataset) -> Result<(), TruthError> {
    let Some(of_table) = data_fingerprint(path)? else { return Ok(()) };
    let of_run = dataset.fingerprint();
    if of_table == of_run { Ok(()) } else { Err(TruthError::OtherData { path: path.into(), of_table, of_run }) }
}
