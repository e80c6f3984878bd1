//! Options of a component: a serde struct, read from a TOML table with errors that name the nearest key.

use serde::{Serialize, de::DeserializeOwned};
use toml::Table;

/// A table that is no set of options.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// A key that no option has.
    #[error("unknown option `{section}.{key}`{hint}; known: {known}")]
    Unknown {
        /// The section of the configuration.
        section: String,
        /// The key given.
        key: String,
        /// The nearest known key as `, did you mean ...?`, or nothing.
        hint: String,
        /// All keys.
        known: String,
    },
    /// A value of the wrong kind.
    #[error("section `{section}`: {message}")]
    Value {
        /// The section of the configuration.
        section: String,
        /// What is wrong with which key.
        message: String,
    },
}

/// Reads options from a table over their defaults.
///
/// # Errors
/// Unknown keys and values of the wrong kind.
pub fn parse_options<T: Serialize + DeserializeOwned + Default>(
    section: &str,
    table: &Table,
) -> Result<T, OptionsError> {
    let value = |message: String| OptionsError::Value { section: section.into(), message };
    let mut merged = Table::try_from(T::default()).map_err(|e| value(e.to_string()))?;
    for (key, given) in table {
        if !merged.contains_key(key) {
            let known: Vec<&str> = merged.keys().map(String::as_str).collect();
            return Err(OptionsError::Unknown {
                section: section.into(),
                key: key.clone(),
                hint: did_you_mean(key, known.iter().copied()),
                known: if known.is_empty() { "none".into() } else { known.join(", ") },
            });
        }
        let one: Table = [(key.clone(), given.clone())].into_iter().collect();
        merged.extend(one);
        // Checked one by one, so that the message can name the key.
        T::deserialize(merged.clone()).map_err(|e| value(format!("{key} = {given}: {}", e.message())))?;
    }
    T::deserialize(merged).map_err(|e| value(e.message().into()))
}

/// Options with their defaults as a TOML example.
pub fn example<T: Serialize>(options: &T) -> String {
    toml::to_string(options).unwrap_or_else(|e| format!("# {e}\n"))
}

/// `, did you mean ...?` for the known name nearest to `name`, if one is near.
pub fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = known.map(|k| (strsim::jaro_winkler(name, k), k)).max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((similarity, k)) if similarity > 0.7 => format!(", did you mean `{k}`?"),
        _ => String::new(),
    }
}
