//! The CSV file of a truth table, and the TOML file beside it with the settings of its trainings (the recipe).

use crate::exit::UsageError;
use crate::files;
use crate::settings::first_difference;
use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use nas_core::space::Scale;
use nas_core::trainer::StandAloneResult;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

const HEADER: &str = "arch,seed,accuracy,train_loss,params,macs\n";

/// A truth table that grows row by row.
pub struct TruthFile {
    path: PathBuf,
    file: File,
    /// Accuracies by architecture and seed.
    rows: BTreeMap<(String, u64), f64>,
}

impl TruthFile {
    /// Opens an existing table to resume it, or creates a table and its recipe. An incomplete last row is removed.
    ///
    /// # Errors
    /// The table has another recipe or another format, or a file cannot be read or written.
    pub fn open(path: &Path, recipe: &Table) -> Result<Self> {
        let beside = path.with_extension("toml");
        let exists = path.try_exists().with_context(|| format!("cannot read {}", path.display()))?;
        let rows = if exists {
            check_recipe(path, &beside, recipe)?;
            read_rows(path)?
        } else {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)
                    .with_context(|| format!("cannot create the directory {}", parent.display()))?;
            }
            write_recipe(path, &beside, recipe)?;
            fs::write(path, HEADER).with_context(|| format!("cannot write {}", path.display()))?;
            BTreeMap::new()
        };
        let opened = File::options().append(true).open(path);
        let file = opened.with_context(|| format!("cannot write {}", path.display()))?;
        files::lock(&file, path)?;
        Ok(Self { path: path.into(), file, rows })
    }

    /// Whether the table contains an architecture with a seed.
    pub fn holds(&self, arch: &str, seed: u64) -> bool {
        self.rows.contains_key(&(arch.into(), seed))
    }

    /// Appends a row.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, arch: &str, seed: u64, result: &StandAloneResult) -> Result<()> {
        let StandAloneResult { accuracy, train_loss, params, macs } = result;
        // Four decimals resolve a single image out of a million.
        let row = format!("{arch},{seed},{accuracy:.4},{train_loss:.4},{params},{macs}\n");
        self.file.write_all(row.as_bytes()).with_context(|| format!("cannot write {}", self.path.display()))?;
        self.rows.insert((arch.into(), seed), *accuracy);
        Ok(())
    }

    /// Accuracies by architecture and seed.
    pub fn rows(&self) -> &BTreeMap<(String, u64), f64> {
        &self.rows
    }
}

/// The settings on which the accuracies of a table depend: `seed` and the sections `[space]`, `[data]` and `[train]`.
///
/// # Errors
/// A value cannot be written as TOML.
pub fn recipe(config: &RunConfig, scale: &Scale) -> Result<Table> {
    let mut config = config.clone();
    (config.space.width, config.space.cells) = (scale.width, scale.cells);
    config.data.dir = None;
    let mut table = config.to_table()?;
    table.retain(|key, _| ["seed", "space", "data", "train"].contains(&key));
    if config.data.name != "synthetic"
        && let Some(Value::Table(data)) = table.get_mut("data")
    {
        data.remove("synthetic");
    }
    Ok(table)
}

/// Writes the recipe of a new table. An existing file is not overwritten: it may be a configuration of the user.
fn write_recipe(path: &Path, beside: &Path, recipe: &Table) -> Result<()> {
    match File::create_new(beside) {
        Ok(mut file) => file.write_all(format!("# {}\n\n{recipe}", command_line()).as_bytes()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return check_recipe(path, beside, recipe),
        Err(error) => Err(error),
    }
    .with_context(|| format!("cannot write {}", beside.display()))
}

fn check_recipe(path: &Path, beside: &Path, recipe: &Table) -> Result<()> {
    let text = fs::read_to_string(beside).with_context(|| {
        let (path, beside) = (path.display(), beside.display());
        format!("{path} cannot be resumed without its recipe {beside}; choose another --out")
    })?;
    let old: Table = text.parse().with_context(|| format!("{} is not TOML", beside.display()))?;
    match first_difference(&old, recipe) {
        None => Ok(()),
        Some(difference) => {
            let problem = format!("{} has other settings: {difference}", beside.display());
            Err(UsageError(format!(
                "{problem}; use the same settings to resume {}, or choose another --out",
                path.display()
            ))
            .into())
        }
    }
}

/// Reads the rows of a table. An incomplete last row, which a killed process leaves, is removed from the file.
fn read_rows(path: &Path) -> Result<BTreeMap<(String, u64), f64>> {
    let failed = || format!("cannot resume {}", path.display());
    let text = fs::read_to_string(path).with_context(failed)?;
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    let body = whole.strip_prefix(HEADER).ok_or_else(|| {
        let found = text.lines().next().unwrap_or_default();
        UsageError(format!("{}: expected the header {}, found {found}", path.display(), HEADER.trim_end()))
    })?;
    let mut rows = BTreeMap::new();
    for (line, row) in body.lines().enumerate() {
        let fields: Vec<&str> = row.split(',').collect();
        let known = match fields[..] {
            [arch, seed, accuracy, ..] => seed.parse().ok().zip(accuracy.parse().ok()).map(|(s, a)| (arch, s, a)),
            _ => None,
        };
        let (arch, seed, accuracy) =
            known.ok_or_else(|| UsageError(format!("{}: line {} is not a row: {row}", path.display(), line + 2)))?;
        rows.insert((arch.to_owned(), seed), accuracy);
    }
    if whole.len() < text.len() {
        let file = File::options().write(true).open(path).with_context(failed)?;
        file.set_len(whole.len() as u64).with_context(failed)?;
    }
    Ok(rows)
}

/// The command line of this process, quoted for a shell.
pub fn command_line() -> String {
    let quote = |word: String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+".contains(c);
        if !word.is_empty() && word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', "'\\''")) }
    };
    let words = std::env::args_os().skip(1).map(|word| quote(word.to_string_lossy().into_owned()));
    std::iter::once("nas-train".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
