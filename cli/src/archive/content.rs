//! The content of the files of a run.

use super::{Incomplete, packed};
use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use nas_core::read_file;
use nas_core::toml_text::{self, TomlProblem};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::ErrorKind;
use std::path::Path;

/// The largest size of a file of a run, in bytes. `metrics.csv` reaches it after about 25 million steps.
pub const LIMIT: u64 = 1 << 30;

/// The configuration of a run.
///
/// # Errors
/// The file is missing, is not TOML, or has a key or value that this version does not accept.
pub fn config(dir: &Path) -> Result<RunConfig> {
    RunConfig::from_table(&config_table(dir)?).context("config.toml does not fit this version")
}

/// The content of `config.toml`.
///
/// # Errors
/// The file is missing, empty or not TOML.
pub fn config_table(dir: &Path) -> Result<toml::Table> {
    let name = "config.toml";
    let damaged = |problem: String| Incomplete::Damaged { file: name.into(), problem };
    let text = text(dir, name)?;
    let table: toml::Table = toml_text::parse(&text).map_err(|problem| {
        let TomlProblem::Syntax(error) = problem else { return damaged(problem.to_string()) };
        let start = error.span().map_or(0, |span| span.start);
        let line = 1 + text.bytes().take(start).filter(|byte| *byte == b'\n').count();
        damaged(format!("line {line}: {}", error.message()))
    })?;
    if table.is_empty() {
        return Err(damaged("it is empty".into()).into());
    }
    Ok(table)
}

/// Parses the content of a JSON file. An error has the name of the file and the line.
pub fn json(name: &str, text: &str) -> Result<Value, Incomplete> {
    serde_json::from_str(text).map_err(|error| Incomplete::Damaged { file: name.into(), problem: error.to_string() })
}

/// The text of a file of a run.
pub fn text(dir: &Path, name: &str) -> Result<String> {
    let damaged = |_| Incomplete::Damaged { file: name.into(), problem: "it is not UTF-8 text".into() };
    Ok(String::from_utf8(bytes(dir, name)?).map_err(damaged)?)
}

/// The content of a file of a run, which may be packed. A file in the directory takes precedence.
pub fn bytes(dir: &Path, name: &str) -> Result<Vec<u8>> {
    match read_file::bytes(&dir.join(name), LIMIT) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            packed::bytes(dir, name, LIMIT)?.ok_or_else(|| Incomplete::Missing(name.into()).into())
        }
        content => content.with_context(|| format!("{name} cannot be read")),
    }
}

/// The content of a file in the archive of a packed run; none if the run is not packed, or lacks the file.
///
/// # Errors
/// A damaged archive, or one that cannot be read.
pub fn packed_bytes(dir: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    packed::bytes(dir, name, LIMIT).with_context(|| dir.display().to_string())
}

/// Parses the content of `result.json`. An error has the line.
pub fn parse_result<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).context("result.json does not fit this version")
}

/// The messages of the log. A log that cannot be read is treated as empty, because no figure depends on it.
pub fn notes(path: &Path) -> Vec<String> {
    let text = text(path, "log.jsonl").unwrap_or_default();
    let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    entries.filter_map(|entry| entry["message"].as_str().map(Into::into)).collect()
}
