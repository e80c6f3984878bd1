//! Options of a component: a serde struct, read from a TOML table with errors that name the nearest key.

use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor, value::Error as SerdeError};
use serde::{Serialize, forward_to_deserialize_any};
use toml::Table;

/// A table that is no set of options.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// A key that no option has.
    #[error("unknown option `{}`{hint}; known: {known}", dotted(section, key))]
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
    let known = keys::<T>();
    for (key, given) in table {
        if !known.contains(&key.as_str()) {
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

/// The keys of an options struct, those without a default value included.
pub fn keys<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    // Asking for the fields is all that is wanted of this; it always fails.
    let _ = T::deserialize(Fields(&mut keys));
    keys
}

/// A deserializer that only notes which fields it is asked for.
struct Fields<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = SerdeError;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, SerdeError> {
        *self.0 = fields;
        Err(SerdeError::custom("fields noted"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, SerdeError> {
        Err(SerdeError::custom("options are no struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// A key with its section, as `--set` takes it.
fn dotted(section: &str, key: &str) -> String {
    if section.is_empty() { key.into() } else { format!("{section}.{key}") }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        count: usize,
        limit: Option<usize>,
    }

    fn parse(text: &str) -> Result<Options, OptionsError> {
        parse_options("part", &text.parse().unwrap())
    }

    #[test]
    fn options_without_a_default_value_are_known() {
        assert_eq!(keys::<Options>(), ["count", "limit"]);
        assert_eq!(parse("limit = 3").unwrap(), Options { count: 0, limit: Some(3) });
        assert_eq!(parse("").unwrap(), Options::default());
    }

    #[test]
    fn errors_name_the_key_and_its_nearest() {
        let unknown = "unknown option `part.limt`, did you mean `limit`?; known: count, limit";
        assert_eq!(parse("limt = 3").unwrap_err().to_string(), unknown);
        let wrong = parse("count = 'many'").unwrap_err().to_string();
        assert!(wrong.starts_with("section `part`: count = \"many\": invalid type: string"), "{wrong}");
    }
}
