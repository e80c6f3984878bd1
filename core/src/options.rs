//! Options of a component: a serde struct, read from a TOML table with errors that name the nearest key.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
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
    let known = field_names::<T>();
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
        T::deserialize(merged.clone()).map_err(|e| value(format!("{key} = {given}: {}", in_words(e.message()))))?;
    }
    T::deserialize(merged).map_err(|e| value(in_words(e.message())))
}

/// A message of serde with the types of Rust in words.
fn in_words(message: &str) -> String {
    let whole = "expected a whole number of at least 0";
    let words = [("usize", whole), ("u64", whole), ("i64", "expected a whole number"), ("f64", "expected a number")];
    let known =
        words.iter().find_map(|(name, words)| Some((message.strip_suffix(&format!("expected {name}"))?, words)));
    known.map_or_else(|| message.into(), |(start, words)| format!("{start}{words}"))
}

/// The names of the fields of a struct. TOML has no null, so the default table lacks the optional ones.
pub fn field_names<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    struct Names<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Names<'_> {
        type Error = serde::de::value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(Self::Error::custom("only structs have fields"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = fields;
            Err(Self::Error::custom("the names are all that is wanted"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut names: &'static [&'static str] = &[];
    // It always fails: it is asked for the names alone.
    let _ = T::deserialize(Names(&mut names));
    names
}

/// A key with its section, as `--set` takes it.
fn dotted(section: &str, key: &str) -> String {
    if section.is_empty() { key.into() } else { format!("{section}.{key}") }
}

/// Options with their defaults as a TOML example, each below what it means.
pub fn example<T: Serialize + JsonSchema>(options: &T) -> String {
    let meanings = meanings::<T>();
    let text = toml::to_string(options).unwrap_or_else(|e| format!("# {e}\n"));
    let comment = |line: &str| {
        let meaning = line.split(" = ").next().and_then(|key| meanings.get(key));
        meaning.map_or_else(String::new, |meaning| commented(meaning))
    };
    text.lines().map(|line| format!("{}{line}\n", comment(line))).collect()
}

/// Lines behind `#`.
pub fn commented(text: &str) -> String {
    text.lines().map(|line| format!("# {line}\n")).collect()
}

/// What the fields of a struct mean, by name: their documentation, and below it the words that a field may be.
pub fn meanings<T: JsonSchema>() -> BTreeMap<String, String> {
    let generator = SchemaSettings::default().with(|settings| settings.inline_subschemas = true).into_generator();
    let schema = generator.into_root_schema_for::<T>();
    let fields = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    fields.map(|(name, field)| (name.clone(), meaning(field))).collect()
}

fn meaning(field: &Value) -> String {
    let text = |of: &Value| of.get("description").and_then(Value::as_str).map_or_else(String::new, without_links);
    let words = field.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let word = |word: &Value| Some(format!("  {:?}: {}", word.get("const")?.as_str()?, text(word)));
    std::iter::once(text(field)).chain(words.filter_map(word)).collect::<Vec<_>>().join("\n")
}

/// Documentation without the links of rustdoc: [`x`](place) and [`x`] become `x`.
fn without_links(text: &str) -> String {
    let mut pieces = text.split("[`");
    let mut plain = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let (name, rest) = piece.split_once("`]").unwrap_or((piece, ""));
        let rest = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |(_, rest)| rest);
        plain += &format!("`{name}`{rest}");
    }
    plain
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

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Options {
        /// How much, see [`parse`](self::parse).
        alpha: f64,
        limit: Option<usize>,
        /// Which way.
        way: Way,
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Way {
        /// Up.
        #[default]
        Up,
        /// Down.
        Down,
    }

    #[test]
    fn an_example_tells_what_each_option_means() {
        let text =
            "# How much, see `parse`.\nalpha = 0.0\n# Which way.\n#   \"up\": Up.\n#   \"down\": Down.\nway = \"up\"\n";
        assert_eq!(example(&Options::default()), text);
        assert_eq!(parse(text).unwrap(), Options::default());
    }

    fn parse(text: &str) -> Result<Options, OptionsError> {
        parse_options("strategy", &text.parse().unwrap())
    }

    #[test]
    fn given_keys_win_and_others_keep_their_defaults() {
        assert_eq!(parse("").unwrap(), Options::default());
        assert_eq!(parse("limit = 3\nalpha = 0.5").unwrap(), Options { alpha: 0.5, limit: Some(3), way: Way::Up });
    }

    #[test]
    fn an_unknown_key_names_the_nearest_one() {
        let error = parse("alhpa = 1.0").unwrap_err().to_string();
        assert_eq!(error, "unknown option `strategy.alhpa`, did you mean `alpha`?; known: alpha, limit, way");
    }

    #[test]
    fn a_value_of_the_wrong_kind_names_its_key() {
        let error = parse("alpha = \"much\"").unwrap_err().to_string();
        assert!(error.starts_with("section `strategy`: alpha = \"much\": invalid type"), "{error}");
        assert!(error.ends_with("expected a number"), "{error}");
        assert!(parse("limit = -1").unwrap_err().to_string().ends_with("expected a whole number of at least 0"));
    }
}
