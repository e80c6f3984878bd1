//! The configuration that saved state belongs to.

use crate::config::RunConfig;
use crate::state::StateError;
use crate::truth::table_file::without_directory;
use serde_json::{Map, Value};

/// Keys that may differ between the process that saves and the one that continues. Threads, paths, where images are
/// kept and the times of checkpoints change no result; another device changes results by rounding only.
const FREE_KEYS: [&str; 7] =
    ["device", "threads", "plugins", "data.dir", "data.cache", "save.checkpoint_every", "save.weights"];

/// The configuration without the keys that may differ, by dotted key.
///
/// # Errors
/// A configuration that JSON cannot hold.
pub fn comparable(config: &RunConfig) -> Result<Map<String, Value>, StateError> {
    let fail = |error: String| StateError { expected: "a configuration that JSON can hold".into(), found: error };
    let table = config.to_table().map_err(|error| fail(error.to_string()))?;
    let value = serde_json::to_value(table).map_err(|error| fail(error.to_string()))?;
    let mut flat = Map::new();
    flatten("", value, &mut flat);
    flat.retain(|key, _| !FREE_KEYS.contains(&key.as_str()));
    Ok(flat)
}

fn flatten(key: &str, value: Value, flat: &mut Map<String, Value>) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                let key = if key.is_empty() { name } else { format!("{key}.{name}") };
                flatten(&key, value, flat);
            }
        }
        value => {
            flat.insert(key.into(), value);
        }
    }
}

/// Checks that the saved and the present configuration are equal. The directory of a truth table may differ.
///
/// # Errors
/// The first key whose values differ, with both values.
pub fn check_config(saved: &Map<String, Value>, present: &Map<String, Value>) -> Result<(), StateError> {
    let text = |value: Option<&Value>| value.map_or("none".into(), Value::to_string);
    let mut keys = present.keys().chain(saved.keys());
    let value = |of: &Map<String, Value>, key: &str| match (key, of.get(key)) {
        ("truth.table", Some(Value::String(table))) => Some(Value::from(without_directory(table))),
        (_, value) => value.cloned(),
    };
    match keys.find(|key| value(saved, key) != value(present, key)) {
        None => Ok(()),
        Some(key) => {
            let (present, saved) = (text(present.get(key)), text(saved.get(key)));
            Err(StateError { expected: format!("state of a run with {key} = {present}"), found: saved })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_a_truth_table_may_differ() {
        let of = |table: &str| Map::from_iter([("truth.table".to_owned(), Value::from(table))]);
        assert!(check_config(&of("/a/t.csv"), &of("t.csv")).is_ok());
        assert!(check_config(&of("/a/t.csv"), &of("/a/u.csv")).is_err());
        assert!(check_config(&of("a/x"), &of("b/x")).is_err());
    }
}
