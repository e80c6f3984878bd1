//! One layer of a configuration: the keys that a file, a `--set` or an option sets.

use super::Origin;
use crate::args::NamedOption;
use crate::exit::UsageError;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The keys from one source, with their origin.
#[derive(Debug, Clone)]
pub struct ConfigLayer {
    /// The source of the keys.
    pub origin: Origin,
    /// The keys and their values, by section.
    pub table: Table,
}

impl ConfigLayer {
    /// Reads a configuration file.
    pub fn file(path: &Path) -> Result<Self> {
        let read = std::fs::read_to_string(path).map_err(|error| UsageError(error.to_string()));
        let text = read.with_context(|| format!("cannot read the configuration {}", path.display()))?;
        let table = text.parse().with_context(|| format!("the configuration {} is not TOML", path.display()))?;
        Ok(Self { origin: Origin::File(path.into()), table })
    }

    /// Parses an assignment of `--set`. A value that is not TOML is a string, so that `--set data.name=idx` needs no
    /// quotes.
    ///
    /// # Errors
    /// An integer that does not fit into 64 bits, or a key below one that has a value.
    pub fn set(assignment: &str) -> Result<Self> {
        let (key, text) = assignment.split_once('=').unwrap_or((assignment, ""));
        let text = text.trim();
        let value = match text.parse() {
            Ok(value) => value,
            Err(_) if is_out_of_range(text) => {
                let limits = format!("expected a whole number from {} to {}", i64::MIN, i64::MAX);
                return Err(UsageError(format!("--set {assignment}: {text} is out of range; {limits}")).into());
            }
            Err(_) => Value::String(text.into()),
        };
        let mut table = Table::new();
        insert(&mut table, key, value)?;
        Ok(Self { origin: Origin::Set(assignment.into()), table })
    }

    /// The layer of an option that sets a key; `None` if the option is absent.
    pub fn flag(named: NamedOption) -> Result<Option<Self>> {
        let Some(value) = named.value else { return Ok(None) };
        let mut table = Table::new();
        insert(&mut table, named.key, value)?;
        Ok(Some(Self { origin: Origin::Flag(named.flag), table }))
    }

    /// The layer of `--plugin FILE`; `None` without files.
    pub fn plugins(files: &[PathBuf]) -> Option<Self> {
        let names: Vec<String> = files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
        let table = [("plugins".to_string(), Value::from(names))].into_iter().collect();
        (!files.is_empty()).then_some(Self { origin: Origin::Flag("plugin"), table })
    }

    /// The name of the strategy or controller that this layer sets.
    fn component(&self, section: &str) -> Option<&Value> {
        self.table.get(section)?.get("name")
    }
}

/// Whether a text is a decimal integer that does not fit into 64 bits. `007` fits: it is not TOML, so it is a string.
fn is_out_of_range(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<i64>().is_err()
}

/// Inserts a value at a dotted key and creates the sections on the way.
pub fn insert(table: &mut Table, key: &str, value: Value) -> Result<()> {
    let (path, last) = match key.trim().rsplit_once('.') {
        Some((path, last)) => (path, last),
        None => ("", key.trim()),
    };
    let mut at = table;
    for part in path.split('.').map(str::trim).filter(|part| !part.is_empty()) {
        let next = at.entry(part).or_insert_with(|| Value::Table(Table::new()));
        at = next
            .as_table_mut()
            .ok_or_else(|| UsageError(format!("{key}: `{part}` has a value already, so it cannot be a section")))?;
    }
    at.insert(last.trim().into(), value);
    Ok(())
}

/// Overwrites the keys of `table` by those of `over`, section by section. Lists of plugins are concatenated.
pub fn merge(table: &mut Table, over: Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (Some(Value::Array(old)), Value::Array(new)) if key == "plugins" => old.extend(new),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

/// Removes the sections `[strategy]` and `[controller]` of a file that names another component than the one in effect.
///
/// Their options belong to the named component only. A file without a name means the default component.
pub fn drop_options_of_others(layers: &mut [ConfigLayer]) {
    for (section, default) in [("strategy", "plain"), ("controller", "uniform")] {
        let default = Value::String(default.into());
        let named = layers.iter().rev().find_map(|layer| layer.component(section)).unwrap_or(&default).clone();
        for layer in layers.iter_mut().filter(|layer| matches!(layer.origin, Origin::File(_))) {
            if *layer.component(section).unwrap_or(&default) != named {
                layer.table.remove(section);
            }
        }
    }
}
