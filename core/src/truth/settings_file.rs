//! The settings file beside a truth table: the configuration with which `nas-train truth` made it.

use std::io::ErrorKind;
use std::path::Path;

use toml::{Table, Value};

use super::error::TruthError;
use crate::{read_file, toml_text};

/// Largest size of the configuration, in bytes.
const MAX_SIZE: u64 = 1 << 24;

/// What every settings file of `nas-train truth` has. A file with a part of it was cut short.
const SECTIONS: [&str; 3] = ["seed", "space", "train"];

/// The fingerprint of the data on which a table was trained. It stands in the file `FILE.toml` beside `FILE.csv`, as
/// `data.fingerprint`. `None` without such a file, or if it has none of the sections of a configuration; tables from
/// elsewhere need none.
///
/// # Errors
/// The file cannot be read, is empty, is not TOML, or its fingerprint is missing or not text.
pub fn data_fingerprint(table: &Path) -> Result<Option<String>, TruthError> {
    let path = table.with_extension("toml");
    let damaged = |problem: String| TruthError::SettingsFile { path: path.clone(), problem };
    let text = match read_file::text(&path, MAX_SIZE) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|error| damaged(format!("cannot be read: {error}")))?,
    };
    let settings: Table = toml_text::parse(&text).map_err(|problem| damaged(problem.to_string()))?;
    match settings.get("data").and_then(|data| data.get("fingerprint")) {
        None if text.trim().is_empty() => Err(damaged("is empty".into())),
        None if SECTIONS.iter().any(|section| settings.contains_key(*section)) => {
            Err(damaged("has no `data.fingerprint`".into()))
        }
        None => Ok(None),
        Some(Value::String(fingerprint)) => Ok(Some(fingerprint.clone())),
        Some(_) => Err(damaged("has a `data.fingerprint` that is not text".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_fingerprint_is_read_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let table = dir.path().join("truth.csv");
        assert_eq!(data_fingerprint(&table).unwrap(), None);
        for (text, expected) in
            [("data = 3", None), ("title = \"mine\"", None), ("[data]\nfingerprint = \"ab\"", Some("ab"))]
        {
            fs::write(dir.path().join("truth.toml"), text).unwrap();
            assert_eq!(data_fingerprint(&table).unwrap().as_deref(), expected);
        }
    }

    #[test]
    fn a_damaged_configuration_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let settings = dir.path().join("truth.toml");
        let message = || data_fingerprint(&dir.path().join("truth.csv")).unwrap_err().to_string();
        for (text, problem) in [
            (&b"[data]\nfingerprint = \"a"[..], "truth.toml is not TOML"),
            (b"[data]\nfingerprint = 3", "truth.toml has a `data.fingerprint` that is not text"),
            (b"\xff", "truth.toml cannot be read"),
            (b"\n", "truth.toml is empty"),
            (b"seed = 0\n", "truth.toml has no `data.fingerprint`"),
        ] {
            fs::write(&settings, text).unwrap();
            assert!(message().contains(problem), "{}", message());
        }
        fs::remove_file(&settings).unwrap();
        fs::create_dir(&settings).unwrap();
        assert!(message().contains("truth.toml cannot be read"), "{}", message());
    }
}
