//! The TOML file beside a truth table: the settings of its trainings.

use crate::exit::UsageError;
use crate::files;
use crate::settings::first_difference;
use crate::text::shell_word;
use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use nas_core::space::Scale;
use nas_core::toml_text;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The largest size of the file in bytes; one with all keys has about 1,000.
const LIMIT: u64 = 1 << 20;

/// The settings on which the accuracies of every table depend: a key and three sections. `tf32` is added where it is
/// true.
const SECTIONS: [&str; 4] = ["seed", "space", "data", "train"];

/// The settings on which the accuracies of a table depend.
///
/// # Errors
/// A value cannot be written as TOML.
pub fn table_settings(config: &RunConfig, scale: &Scale) -> Result<Table> {
    let mut config = config.clone();
    (config.space.width, config.space.cells) = (scale.width, scale.cells);
    config.data = config.data.without_location();
    let mut table = config.to_table()?;
    table.retain(|key, value| SECTIONS.contains(&key) || (key == "tf32" && *value == Value::Boolean(true)));
    if let Some(Value::Table(data)) = table.get_mut("data") {
        // The options of other data sets have no effect.
        data.retain(|key, _| key == config.data.name || !["idx", "synthetic"].contains(&key));
    }
    Ok(table)
}

/// The settings file of a table.
pub struct TableSettingsFile<'a> {
    /// The table, for messages.
    table: &'a Path,
    path: PathBuf,
    settings: &'a Table,
}

impl<'a> TableSettingsFile<'a> {
    /// The file beside a table, with the settings that it must have.
    pub fn beside(table: &'a Path, settings: &'a Table) -> Self {
        Self { table, path: table.with_extension("toml"), settings }
    }

    /// Compares the file with the settings. Returns false if there is no file, or an empty one.
    ///
    /// # Errors
    /// The file has other settings, or it cannot be read.
    pub fn check(&self) -> Result<bool> {
        let text = match files::shared_text(&self.path, LIMIT) {
            Ok(text) if text.trim().is_empty() => return Ok(false),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            text => text.with_context(|| format!("cannot read {}", self.path.display()))?,
        };
        let old: Table = toml_text::parse(&text).map_err(|problem| self.invalid(&problem.to_string()))?;
        if let Some(section) = SECTIONS.iter().find(|section| !old.contains_key(**section)) {
            return Err(self.invalid(&format!("lacks `{section}`")));
        }
        // A complete file ends with a line end.
        if !text.ends_with('\n') {
            return Err(self.invalid("ends within a line"));
        }
        let Some(difference) = first_difference(&old, self.settings) else { return Ok(true) };
        Err(UsageError(format!(
            "{} has other settings: {difference}; use the same settings to resume {}, or choose another --out",
            self.path.display(),
            self.table.display()
        ))
        .into())
    }

    /// The error of a file without settings, or of an incomplete one.
    fn invalid(&self, problem: &str) -> anyhow::Error {
        UsageError(format!(
            "{} {problem}: it is not the configuration of a table that `nas-train truth` made, or it is incomplete; restore it, or \
             choose another --out",
            self.path.display()
        ))
        .into()
    }

    /// Writes the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self) -> Result<()> {
        let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
        files::write(&self.path, &format!("# {}\n\n{}", command_line(words), self.settings))
    }

    /// The error of a table that has rows but no settings file.
    pub fn missing(&self) -> anyhow::Error {
        let (table, path) = (self.table.display(), self.path.display());
        UsageError(format!("{table} cannot be resumed without {path}, which holds its settings; choose another --out"))
            .into()
    }
}

/// The command line of this process, quoted for a shell, as one line: control characters become spaces.
fn command_line(words: impl Iterator<Item = String>) -> String {
    let words = words.map(|word| shell_word(&word).replace(char::is_control, " "));
    std::iter::once("nas-train".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_one_line() {
        let words = ["truth".to_owned(), "--set=cluster.sbatch_args=[\"a\",\n\"b\"]".to_owned()];
        assert_eq!(command_line(words.into_iter()), "nas-train truth '--set=cluster.sbatch_args=[\"a\", \"b\"]'");
    }

    #[test]
    fn a_table_depends_on_the_precision_of_its_trainings() {
        let mut config = RunConfig::from_table(&Table::new()).unwrap();
        let scale = Scale { width: 4, cells: 1, image: [8, 8, 1], classes: 10 };
        assert!(!table_settings(&config, &scale).unwrap().contains_key("tf32"));
        config.tf32 = true;
        assert!(table_settings(&config, &scale).unwrap().contains_key("tf32"));
    }
}
