//! One layer of a configuration: the keys that a file, a `--set` or an option sets.

use super::origin::{Origin, Origins};
use super::unknown::with_hint;
use crate::archive;
use crate::args::{NamedOption, RunArgs};
use crate::exit::UsageError;
use anyhow::{Context, Result};
use nas_core::config::{ConfigError, RunConfig};
use nas_core::toml_text::{self, MAX_DEPTH, TomlProblem};
use nas_core::{quote, read_file};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Largest size of a configuration file in bytes.
const MAX_FILE: u64 = 16_000_000;

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
        let read = read_file::text(path, MAX_FILE).map_err(|error| UsageError(error.to_string()));
        Self::parse(path, &read.with_context(|| format!("cannot read the configuration {}", path.display()))?)
    }

    /// The configuration of a run, which may be packed.
    ///
    /// # Errors
    /// The file is missing or damaged, or the archive is.
    pub fn run(dir: &Path) -> Result<Self> {
        let table = archive::config_table(dir).with_context(|| dir.display().to_string())?;
        Ok(Self { origin: Origin::File(dir.join("config.toml")), table })
    }

    fn parse(path: &Path, text: &str) -> Result<Self> {
        let table = toml_text::parse(text).map_err(|problem| {
            UsageError(match problem {
                TomlProblem::Syntax(error) => {
                    format!("the configuration {} is not TOML: {}", path.display(), syntax_problem(text, &error))
                }
                TomlProblem::Other(problem) => format!("the configuration {} {problem}", path.display()),
            })
        })?;
        Ok(Self { origin: Origin::File(path.into()), table })
    }

    /// The search space and the data set of a run, from its configuration.
    ///
    /// # Errors
    /// See [`run`](Self::run).
    pub fn space_and_data_of_run(dir: &Path) -> Result<Self> {
        let mut table = Self::run(dir)?.table;
        table.retain(|key, _| ["space", "data"].contains(&key));
        Ok(Self { origin: Origin::Run(dir.into()), table })
    }

    /// Parses an assignment of `--set`. A value that is not TOML is a string, so that `--set data.name=idx` needs no
    /// quotes.
    ///
    /// # Errors
    /// An integer that does not fit into 64 bits, or a key with empty or too many parts.
    pub fn set(assignment: &str) -> Result<Self> {
        Self::assignment(assignment, Origin::Set(assignment.into()))
    }

    fn assignment(assignment: &str, origin: Origin) -> Result<Self> {
        let (key, text) = assignment.split_once('=').unwrap_or((assignment, ""));
        let text = text.trim();
        let fail = |problem: String| UsageError(format!("{origin}: {problem}"));
        let value = match toml_text::parse(text) {
            Ok(value) => value,
            Err(TomlProblem::Other(problem)) => return Err(fail(format!("the value {problem}")).into()),
            Err(_) if is_out_of_range(text) => {
                return Err(fail(format!("{} is out of range; expected {}", quote(text), limit(key, text))).into());
            }
            Err(_) => Value::String(text.into()),
        };
        let table = nested(key, value).map_err(fail)?;
        Ok(Self { origin, table })
    }

    /// The layers of several assignments, in order.
    ///
    /// # Errors
    /// See [`set`](Self::set).
    pub fn set_all(assignments: &[String]) -> Result<Vec<Self>> {
        assignments.iter().map(|assignment| Self::set(assignment)).collect()
    }

    /// As [`set_all`](Self::set_all), for assignments that the program derives from other options.
    ///
    /// # Errors
    /// See [`set`](Self::set).
    pub fn derived(assignments: &[String]) -> Result<Vec<Self>> {
        assignments.iter().map(|assignment| Self::assignment(assignment, Origin::Derived(assignment.into()))).collect()
    }

    /// The layer of an option that sets a key; `None` if the option is absent.
    pub fn flag(named: NamedOption) -> Result<Option<Self>> {
        let Some(value) = named.value else { return Ok(None) };
        let table = nested(named.key, value).map_err(UsageError)?;
        Ok(Some(Self { origin: Origin::Flag(named.flag), table }))
    }

    /// The layer of `--plugin FILE`; `None` without files.
    ///
    /// # Errors
    /// A path that a configuration cannot hold.
    pub fn plugins(files: &[PathBuf]) -> Result<Option<Self>> {
        let name = |file: &PathBuf| {
            let problem = || UsageError(format!("--plugin {}: expected a path in UTF-8; rename it", file.display()));
            file.to_str().map(str::to_owned).ok_or_else(problem)
        };
        let names = files.iter().map(name).collect::<Result<Vec<_>, _>>()?;
        let table = [("plugins".to_string(), Value::from(names))].into_iter().collect();
        Ok((!files.is_empty()).then_some(Self { origin: Origin::Flag("plugin"), table }))
    }

    /// Removes from a configuration file what stand-alone training would reject or load in vain: strategies with their
    /// plugins, controllers, and initial weights.
    pub fn drop_supernet(&mut self) {
        if !matches!(self.origin, Origin::File(_)) {
            return;
        }
        self.table.retain(|key, _| !["plugins", "strategy", "controller"].contains(&key));
        if let Some(Value::Table(train)) = self.table.get_mut("train") {
            train.remove("init");
        }
    }

    /// Checks the names and types of the keys of this layer alone. After the merge, a later layer would hide that a
    /// section is not a section.
    ///
    /// # Errors
    /// An unknown key, or a value of the wrong type. The error names the layer.
    pub fn check(&self) -> Result<()> {
        RunConfig::check_layer(&self.table).map_err(|error| {
            let mut origins = Origins::default();
            origins.note(self);
            origins.explain(with_hint(error.into(), None))
        })
    }

    /// The name of the strategy, controller or space that this layer sets.
    pub fn component(&self, section: &str) -> Option<&Value> {
        self.table.get(section)?.get("name")
    }
}

/// Whether a text is a decimal integer that does not fit into 64 bits. `007` fits: it is not TOML, so it is a string.
fn is_out_of_range(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<i64>().is_err()
}

/// The values that a key accepts, for an integer that does not fit into 64 bits.
fn limit(key: &str, text: &str) -> String {
    let (nearest, words) = if text.starts_with('-') { (i64::MIN, "at least") } else { (i64::MAX, "at most") };
    match nested(key, nearest.into()).map(|table| RunConfig::from_table(&table)) {
        Ok(Err(ConfigError::Range { expected, .. })) => expected,
        _ => format!("a whole number of {words} {nearest}"),
    }
}

/// The sections in which a dotted key has this value.
fn nested(key: &str, value: Value) -> Result<Table, String> {
    let count = key.split('.').count();
    if count > MAX_DEPTH {
        return Err(format!("the key has {count} parts, expected at most {MAX_DEPTH}, as in data.synthetic.size"));
    }
    if key.split('.').any(|part| part.trim().is_empty()) {
        return Err("the key has an empty part, expected section.key=value, for instance train.epochs=5".into());
    }
    let (sections, last) = key.rsplit_once('.').map_or((None, key), |(sections, last)| (Some(sections), last));
    let one = |part: &str, value| Table::from_iter([(part.trim().to_owned(), value)]);
    let sections = sections.into_iter().flat_map(|sections| sections.rsplit('.'));
    Ok(sections.fold(one(last, value), |inner, part| one(part, Value::Table(inner))))
}

/// Where and why a text is not TOML. The message of the TOML parser would contain the whole line.
fn syntax_problem(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let (number, column) = (before.matches('\n').count() + 1, before[start..].chars().count() + 1);
    format!("line {number}, column {column}: {}, found `{}`", quote(error.message()), quote(line.trim()))
}

/// The layers of a command line and then of `assignments`, from the lowest to the highest.
///
/// # Errors
/// A file that cannot be read, or an assignment that is not one.
pub fn of_command(args: &RunArgs, assignments: &[String]) -> Result<Vec<ConfigLayer>> {
    let mut layers = Vec::new();
    layers.extend(args.config.as_deref().map(ConfigLayer::file).transpose()?);
    layers.extend(ConfigLayer::set_all(&args.set)?);
    for named in args.named() {
        layers.extend(ConfigLayer::flag(named)?);
    }
    layers.extend(ConfigLayer::derived(assignments)?);
    layers.extend(ConfigLayer::plugins(&args.plugin)?);
    Ok(layers)
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

/// Removes the sections `[strategy]` and `[controller]` of a file that names another component than the one in effect,
/// and the options of section `[space]` of a file that names another space. Width and number of cells stay. Removes the
/// folder, the fingerprint and the options of images of a file that names another data set, and the latter of a recipe
/// for other data.
///
/// Their options belong to the named component only. A file without a name means the default component.
pub fn drop_options_of_others(layers: &mut [ConfigLayer]) {
    for (section, default) in [("strategy", "plain"), ("controller", "uniform"), ("space", "nasbench201")] {
        let default = Value::String(default.into());
        let named = layers.iter().rev().find_map(|layer| layer.component(section)).unwrap_or(&default).clone();
        for layer in layers.iter_mut().filter(|layer| matches!(layer.origin, Origin::File(_) | Origin::Run(_))) {
            if *layer.component(section).unwrap_or(&default) == named {
                continue;
            }
            match layer.table.get_mut(section) {
                Some(Value::Table(space)) if section == "space" => {
                    space.retain(|key, _| ["name", "width", "cells"].contains(&key));
                }
                _ => drop(layer.table.remove(section)),
            }
        }
    }
    drop_data_of_others(layers);
}

/// See [`drop_options_of_others`]. A recipe has options of images for image folders. A file without the name of a data
/// set keeps all keys, whatever the data set is.
fn drop_data_of_others(layers: &mut [ConfigLayer]) {
    let named = layers.iter().rev().find_map(|layer| layer.component("data")).cloned();
    let folder = Value::String("folder".into());
    for layer in layers {
        let own = match layer.origin {
            Origin::Recipe(_) => Some(&folder),
            Origin::File(_) | Origin::Run(_) => layer.component("data"),
            _ => None,
        };
        if own.is_some_and(|own| Some(own) != named.as_ref())
            && let Some(Value::Table(data)) = layer.table.get_mut("data")
        {
            data.retain(|key, _| !["dir", "fingerprint", "image_size", "resize", "cache"].contains(&key));
        }
    }
}
