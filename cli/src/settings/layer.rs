//! One layer of a configuration.

use super::Origin;
use crate::args::Named;
use crate::exit::UsageError;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// A part of a configuration with its origin.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Where it comes from.
    pub origin: Origin,
    /// The keys that it sets.
    pub table: Table,
}

impl Layer {
    /// A configuration file.
    pub fn file(path: &Path) -> Result<Self> {
        let read = std::fs::read_to_string(path).map_err(|error| UsageError(error.to_string()));
        let text = read.with_context(|| format!("cannot read the configuration {}", path.display()))?;
        let table = text.parse().with_context(|| format!("the configuration {} is not TOML", path.display()))?;
        Ok(Self { origin: Origin::File(path.into()), table })
    }

    /// `--set key=value`; a value that is not TOML is a string.
    pub fn set(assignment: &str) -> Result<Self> {
        let (key, text) = assignment.split_once('=').unwrap_or((assignment, ""));
        let text = text.trim();
        let value = text.parse().unwrap_or_else(|_| Value::String(text.into()));
        let mut table = Table::new();
        insert(&mut table, key, value)?;
        Ok(Self { origin: Origin::Set(assignment.into()), table })
    }

    /// A named option, if it was given.
    pub fn flag(named: Named) -> Result<Option<Self>> {
        let Some(value) = named.value else { return Ok(None) };
        let mut table = Table::new();
        insert(&mut table, named.key, value)?;
        Ok(Some(Self { origin: Origin::Flag(named.flag), table }))
    }

    /// `--plugin FILE`, if it was given.
    pub fn plugins(files: &[PathBuf]) -> Option<Self> {
        let names: Vec<String> = files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
        let table = [("plugins".to_string(), Value::from(names))].into_iter().collect();
        (!files.is_empty()).then_some(Self { origin: Origin::Flag("plugin"), table })
    }

    /// The name of a component that this layer sets.
    fn component(&self, section: &str) -> Option<&Value> {
        self.table.get(section)?.get("name")
    }
}

/// Puts a value at a dotted key.
pub fn insert(table: &mut Table, key: &str, value: Value) -> Result<()> {
    let (path, last) = match key.trim().rsplit_once('.') {
        Some((path, last)) => (path, last),
        None => ("", key.trim()),
    };
    let mut at = table;
    for part in path.split('.').map(str::trim).filter(|part| !part.is_empty()) {
        let next = at.entry(part).or_insert_with(|| Value::Table(Table::new()));
        at = next.as_table_mut().ok_or_else(|| UsageError(format!("{key}: `{part}` is a value, not a section")))?;
    }
    at.insert(last.trim().into(), value);
    Ok(())
}

/// Puts `over` on top of `table`, section by section; lists of plugins add up.
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

/// Options of a strategy or controller mean nothing to another one: a file that names another than the final one (or
/// none, which means the default) loses them.
pub fn drop_options_of_others(layers: &mut [Layer]) {
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
