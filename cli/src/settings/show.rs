//! The output of `config show` and `config example`.

use super::{Origin, Settings};
use crate::args::Cli;
use anyhow::Result;
use clap::{CommandFactory, Parser};
use nas_core::config::{ClusterConfig, RunConfig, TrainConfig};
use nas_core::data::DataOptions;
use nas_core::options::{commented, option_names, shown};
use nas_core::quote;
use std::fmt::Write;
use toml::{Table, Value};

/// The configuration as TOML, with the origin of each value as a comment.
pub fn show(settings: &Settings) -> Result<String> {
    let comment = |key: &str, value: &Value| {
        let origin = match settings.origins.of(key) {
            Origin::Set(_) => "--set".into(),
            other => quote(&other.to_string()),
        };
        let value = if value.is_float() { shown(value) } else { value.to_string() };
        format!("{} = {value} # {origin}", last(key))
    };
    let config = RunConfig { cluster: settings.cluster.clone(), ..settings.config.clone() };
    Ok(render(&config.to_table()?, "", &comment))
}

/// All keys with their meanings, defaults and options, as TOML in which every value is commented out.
pub fn example() -> Result<String> {
    let mut table = RunConfig::from_table(&Table::new())?.to_table()?;
    let unset = Value::String(String::new());
    for (section, keys) in [("data", option_names::<DataOptions>()), ("train", option_names::<TrainConfig>())] {
        if let Some(Value::Table(table)) = table.get_mut(section) {
            for key in keys {
                table.entry(key).or_insert(unset.clone());
            }
        }
    }
    table.insert("cluster".into(), Value::try_from(ClusterConfig::default())?);
    let options = Cli::parse_from(["nas-train"]).run.named();
    let command = Cli::command();
    let meanings = RunConfig::meanings();
    let line = |key: &str, value: &Value| {
        let flag = options.iter().find(|option| option.key == key).map(|option| option.flag);
        let argument = flag.and_then(|flag| command.get_arguments().find(|a| a.get_long() == Some(flag)));
        let help = || argument.and_then(|a| a.get_help()).map(|help| format!("{help}."));
        let meaning = meanings.get(key).cloned().or_else(help).unwrap_or_default();
        // An empty text is a value in [cluster], whose keys are never unset.
        let is_unset = *value == unset && !key.starts_with("cluster.");
        let value = if is_unset { "# unset".into() } else { value.to_string() };
        let flag = flag.map(|flag| format!("  # --{flag}")).unwrap_or_default();
        format!("{}# {} = {value}{flag}", commented(&meaning), last(key))
    };
    let header = "# The configuration of a run, for `nas-train --config FILE`. Every key is optional; the values are the\n\
                  # defaults. `nas-train describe NAME` prints the options of a strategy, controller or space.\n\n";
    Ok(format!("{header}{}", render(&table, "", &line)))
}

/// The values of a table, then its sections with their headers. `line` formats one value.
fn render(table: &Table, prefix: &str, line: &dyn Fn(&str, &Value) -> String) -> String {
    let mut text = String::new();
    for (key, value) in table.iter().filter(|(_, value)| !value.is_table()) {
        text += &line(&format!("{prefix}{key}"), value);
        text.push('\n');
    }
    for (key, value) in table {
        if let Value::Table(inner) = value {
            let path = format!("{prefix}{key}");
            let _ = write!(text, "\n[{path}]\n{}", render(inner, &format!("{path}."), line));
        }
    }
    text
}

fn last(key: &str) -> &str {
    key.rsplit_once('.').map_or(key, |(_, last)| last)
}
