//! Options of a strategy, a controller or a section of the configuration: a serde struct that is read from a TOML
//! table. Names and descriptions come from the JSON schema of the struct. Errors suggest the nearest option name.

use crate::quote::{self, quote};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use toml::Table;

/// Failure to read options from a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// A key that is not the name of an option.
    #[error("unknown option `{}`{hint}; known: {known}", quote(&dotted(section, key)))]
    Unknown {
        /// Section of the configuration; empty for keys outside sections.
        section: String,
        /// Key that was given.
        key: String,
        /// `, did you mean ...?` with the nearest option; empty where none is near.
        hint: String,
        /// All option names, separated by commas.
        known: String,
    },
    /// A value of the wrong type.
    #[error("{}{message}", if section.is_empty() { String::new() } else { format!("section `{section}`: ") })]
    Value {
        /// Section of the configuration; empty for keys outside sections.
        section: String,
        /// Key, given value and expected type.
        message: String,
    },
}

/// Reads options from a table; options that the table lacks keep their defaults.
///
/// # Errors
/// Unknown keys and values of the wrong type.
pub fn parse_options<T: Serialize + DeserializeOwned + Default + JsonSchema>(
    section: &str,
    table: &Table,
) -> Result<T, OptionsError> {
    let value = |message: String| OptionsError::Value { section: section.into(), message };
    let mut merged = Table::try_from(T::default()).map_err(|e| value(e.to_string()))?;
    let known = option_names::<T>();
    for (key, given) in table {
        if !known.contains(key) {
            return Err(OptionsError::Unknown {
                section: section.into(),
                key: key.clone(),
                hint: did_you_mean(key, known.iter().map(String::as_str)),
                known: if known.is_empty() { "none".into() } else { known.join(", ") },
            });
        }
        let one: Table = [(key.clone(), given.clone())].into_iter().collect();
        merged.extend(one);
        // Options are deserialised one by one so that the message can name the key.
        let fail = |e: toml::de::Error| value(format!("{key} = {}: {}", shown(given), quote(&in_words(e.message()))));
        T::deserialize(merged.clone()).map_err(fail)?;
    }
    T::deserialize(merged).map_err(|e| value(in_words(e.message())))
}

/// A value for a message, in at most 200 characters: as TOML, with large and small numbers in their short form.
pub fn shown(value: &toml::Value) -> String {
    match value {
        toml::Value::Float(number) => {
            let text = quote::number(*number);
            if text.contains('e') { text } else { value.to_string() }
        }
        _ => quote(&value.to_string()),
    }
}

/// Replaces Rust types in a message of serde by words, and a number by its short form.
fn in_words(message: &str) -> String {
    let message = &with_short_number(message);
    if let Some((start, _)) = message.split_once("expected struct ") {
        return format!("{start}expected a section with keys");
    }
    let whole = "expected a whole number of at least 0";
    let words = [("usize", whole), ("u64", whole), ("i64", "expected a whole number"), ("f64", "expected a number")];
    let known =
        words.iter().find_map(|(name, words)| Some((message.strip_suffix(&format!("expected {name}"))?, words)));
    known.map_or_else(|| message.into(), |(start, words)| format!("{start}{words}"))
}

/// Writes the number in a message such as "invalid type: floating point `1000.0`" in its short form.
fn with_short_number(message: &str) -> String {
    match message.splitn(3, '`').collect::<Vec<_>>()[..] {
        [before, number, after] if before.ends_with("floating point ") => {
            format!("{before}`{}`{after}", quote::value(number))
        }
        _ => message.into(),
    }
}

/// Names of the options of a struct, in alphabetical order, those without a default included.
pub fn option_names<T: JsonSchema>() -> Vec<String> {
    meanings::<T>().into_keys().collect()
}

/// The key with its section, as in `--set`.
fn dotted(section: &str, key: &str) -> String {
    if section.is_empty() { key.into() } else { format!("{section}.{key}") }
}

/// Writes options as TOML, each with its description as a comment above it.
pub fn example<T: Serialize + JsonSchema>(options: &T) -> String {
    let meanings = meanings::<T>();
    let text = toml::to_string(options).unwrap_or_else(|e| format!("# {e}\n"));
    let comment = |line: &str| {
        let meaning = line.split(" = ").next().and_then(|key| meanings.get(key));
        meaning.map_or_else(String::new, |meaning| commented(meaning))
    };
    text.lines().map(|line| format!("{}{line}\n", comment(line))).collect()
}

/// Puts `# ` before each line.
pub fn commented(text: &str) -> String {
    text.lines().map(|line| format!("# {line}\n")).collect()
}

/// Descriptions of the options of a struct, by name. They are the documentation of the fields, followed by the values
/// of an option that is an enumeration.
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

/// Removes the links of rustdoc: [`x`](place) and [`x`] become `x`.
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

/// Returns `, did you mean ...?` with the known name nearest to `name`, or an empty text where none is near.
pub fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    // The comparison takes time proportional to the length, and no long text is a misspelt name.
    if name.len() > 100 {
        return String::new();
    }
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
    fn an_example_describes_each_option() {
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
