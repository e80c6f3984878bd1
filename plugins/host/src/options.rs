//! The options of a foreign strategy: declared by it as TOML, checked here, so that a plugin needs no parser.

use nas_core::options::{OptionsError, did_you_mean};
use nas_plugin_abi::ffi::{NAS_VALUE_FLAG, NAS_VALUE_INTEGER, NAS_VALUE_NUMBER, NAS_VALUE_TEXT, NasStr, NasValue};
use toml::{Table, Value};

/// The declared options with their defaults.
///
/// # Errors
/// Text that is no TOML, or values that are neither text, number nor flag.
pub fn defaults(declared: &str) -> Result<Table, String> {
    let table: Table = declared.parse().map_err(|error| format!("its options are no TOML: {error}"))?;
    for (key, value) in &table {
        if key == "name" {
            return Err("its option `name` cannot be set: the name of the strategy stands there".into());
        }
        if kind(value).is_none() {
            return Err(format!("its option `{key}` is {value}, expected text, a number, true or false"));
        }
    }
    Ok(table)
}

/// The given options over the declared ones.
///
/// # Errors
/// Unknown keys and values of another kind than the default.
pub fn merged(defaults: &Table, given: &Table) -> Result<Table, OptionsError> {
    let mut merged = defaults.clone();
    for (key, value) in given {
        let Some(default) = defaults.get(key) else {
            let known = || defaults.keys().map(String::as_str);
            return Err(OptionsError::Unknown {
                section: "strategy".into(),
                key: key.clone(),
                hint: did_you_mean(key, known()),
                known: if defaults.is_empty() { "none".into() } else { known().collect::<Vec<_>>().join(", ") },
            });
        };
        let value = match (default, value) {
            (Value::Float(_), Value::Integer(whole)) => Value::Float(*whole as f64),
            (default, value) if kind(default) == kind(value) => value.clone(),
            (default, value) => {
                let expected = kind(default).unwrap_or_default();
                let message = format!("{key} = {value}: expected {expected}");
                return Err(OptionsError::Value { section: "strategy".into(), message });
            }
        };
        merged.insert(key.clone(), value);
    }
    Ok(merged)
}

/// What a value is, in words, if an option may be that.
fn kind(value: &Value) -> Option<&'static str> {
    match value {
        Value::String(_) => Some("a text"),
        Value::Integer(_) => Some("a whole number"),
        Value::Float(_) => Some("a number"),
        Value::Boolean(_) => Some("true or false"),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

/// A value as a plugin sees it; its text stays where it is in the table.
pub fn foreign(value: &Value) -> Option<NasValue> {
    let none = NasStr::new("");
    Some(match value {
        Value::String(text) => NasValue { kind: NAS_VALUE_TEXT, integer: 0, number: 0.0, text: NasStr::of(text) },
        Value::Integer(i) => NasValue { kind: NAS_VALUE_INTEGER, integer: *i, number: *i as f64, text: none },
        Value::Float(x) => NasValue { kind: NAS_VALUE_NUMBER, integer: 0, number: *x, text: none },
        Value::Boolean(b) => NasValue { kind: NAS_VALUE_FLAG, integer: i64::from(*b), number: 0.0, text: none },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(given: &str) -> String {
        let declared = defaults("norm = 1.0\nsteps = 3\nmode = \"a\"\nfast = true").unwrap();
        merged(&declared, &given.parse().unwrap()).map_or_else(|e| e.to_string(), |t| t.to_string())
    }

    #[test]
    fn given_options_win_and_whole_numbers_are_numbers() {
        assert_eq!(message("norm = 2\nfast = false"), "norm = 2.0\nsteps = 3\nmode = \"a\"\nfast = false\n");
    }

    #[test]
    fn unknown_keys_and_other_kinds_are_told() {
        assert!(message("nrom = 2").starts_with("unknown option `strategy.nrom`, did you mean `norm`?"));
        assert_eq!(message("steps = 0.5"), "section `strategy`: steps = 0.5: expected a whole number");
        assert_eq!(message("mode = 1"), "section `strategy`: mode = 1: expected a text");
        assert!(defaults("a = [1]").unwrap_err().contains("its option `a` is [1], expected text"));
        assert!(defaults("name = \"x\"").unwrap_err().contains("cannot be set"));
        assert!(defaults("a = ").unwrap_err().starts_with("its options are no TOML"));
    }
}
