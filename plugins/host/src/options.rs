//! Options of a plugin's strategy. The plugin declares them as TOML, and the host parses and checks them.

use nas_core::options::{OptionsError, did_you_mean, shown};
use nas_core::quote;
use nas_plugin_abi::ffi::{NAS_VALUE_FLAG, NAS_VALUE_INTEGER, NAS_VALUE_NUMBER, NAS_VALUE_TEXT, NasStr, NasValue};
use toml::{Table, Value};

/// Parses the declared options with their default values.
///
/// # Errors
/// The text is not TOML, or a value is not a text, a number, true or false.
pub fn parse_declaration(declared: &str) -> Result<Table, String> {
    let table: Table = declared
        .parse()
        .map_err(|error: toml::de::Error| format!("its options are not valid TOML: {}", quote(error.message())))?;
    for (key, value) in &table {
        if key == "name" {
            return Err(
                "it declares an option `name`, which is reserved for the name of the strategy: rename the option"
                    .into(),
            );
        }
        if kind(value).is_none() {
            return Err(format!(
                "its option `{}` is {}, expected a text, a number, true or false",
                quote(key),
                shown(value)
            ));
        }
    }
    Ok(table)
}

/// The declared options with the values that the user has given.
///
/// # Errors
/// A key is not declared, or a value has another kind than the default.
pub fn merge_options(defaults: &Table, given: &Table) -> Result<Table, OptionsError> {
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
                let message = format!("{key} = {}: expected {expected}", shown(value));
                return Err(OptionsError::Value { section: "strategy".into(), message });
            }
        };
        merged.insert(key.clone(), value);
    }
    Ok(merged)
}

/// Kind of a value in words; `None` for kinds that an option cannot have.
fn kind(value: &Value) -> Option<&'static str> {
    match value {
        Value::String(_) => Some("a text"),
        Value::Integer(_) => Some("a whole number"),
        Value::Float(_) => Some("a number"),
        Value::Boolean(_) => Some("true or false"),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

/// The value in the form of the C interface; `None` for kinds that an option cannot have. A text points into `value`.
pub fn to_nas_value(value: &Value) -> Option<NasValue> {
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

    /// The merged options, or the error message.
    fn merge(given: &str) -> String {
        let declared = parse_declaration("norm = 1.0\nsteps = 3\nmode = \"a\"\nfast = true").unwrap();
        merge_options(&declared, &given.parse().unwrap()).map_or_else(|e| e.to_string(), |t| t.to_string())
    }

    #[test]
    fn given_values_replace_defaults_and_whole_numbers_become_floats() {
        assert_eq!(merge("norm = 2\nfast = false"), "norm = 2.0\nsteps = 3\nmode = \"a\"\nfast = false\n");
    }

    #[test]
    fn unknown_keys_and_wrong_kinds_are_errors() {
        assert!(merge("nrom = 2").starts_with("unknown option `strategy.nrom`, did you mean `norm`?"));
        assert_eq!(merge("steps = 0.5"), "section `strategy`: steps = 0.5: expected a whole number");
        assert_eq!(merge("mode = 1"), "section `strategy`: mode = 1: expected a text");
        assert!(parse_declaration("a = [1]").unwrap_err().contains("its option `a` is [1], expected a text"));
        assert!(parse_declaration("name = \"x\"").unwrap_err().contains("reserved"));
        assert!(parse_declaration("a = ").unwrap_err().starts_with("its options are not valid TOML"));
    }
}
