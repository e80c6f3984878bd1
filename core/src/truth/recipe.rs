//! The configuration beside a truth table that `nas-train truth` made.

use std::path::Path;

use toml::{Table, Value};

use crate::{read_file, toml_text};

/// Largest size of the configuration, in bytes.
const MAX_SIZE: u64 = 1 << 24;

/// The fingerprint of the data on which a table was trained. It stands in the file `FILE.toml` beside `FILE.csv`, as
/// `data.fingerprint`. `None` without such a file; tables from elsewhere need none.
pub fn data_fingerprint(table: &Path) -> Option<String> {
    let text = read_file::text(&table.with_extension("toml"), MAX_SIZE).ok()?;
    let recipe: Table = toml_text::parse(&text).ok()?;
    recipe.get("data")?.get("fingerprint").and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_fingerprint_is_read_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let table = dir.path().join("truth.csv");
        assert_eq!(data_fingerprint(&table), None);
        for (text, expected) in [("no TOML", None), ("data = 3", None), ("[data]\nfingerprint = \"ab\"", Some("ab"))] {
            fs::write(dir.path().join("truth.toml"), text).unwrap();
            assert_eq!(data_fingerprint(&table).as_deref(), expected);
        }
    }
}
