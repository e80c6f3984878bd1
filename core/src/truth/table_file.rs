//! Truth tables that a configuration names by the path of a CSV file.

use std::ffi::OsStr;
use std::path::Path;

/// Whether the value of `truth.table` is the path of a file, and not a column of an embedded table.
pub fn is_file(table: &str) -> bool {
    Path::new(table).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
}

/// The value of `truth.table` without the directory of a file. Columns such as `nasbench201/cifar10_test` stay.
pub fn without_directory(table: &str) -> &str {
    let name = Path::new(table).file_name().and_then(OsStr::to_str);
    name.filter(|_| is_file(table)).unwrap_or(table)
}
