//! The text that a run or a sequence prints at its end.

mod run;
mod sequence;
mod stand_alone;

pub use run::truth_section;
pub use stand_alone::seeds_table;

use crate::text::pairs;
use std::path::Path;

/// The result of a run or of a sequence.
pub trait TrainingResult: serde::Serialize {
    /// Whether an interrupt signal stopped the training before its end.
    fn interrupted(&self) -> bool;
    /// The result as text for the terminal. `dir` is the run directory.
    fn summary(&self, dir: &Path) -> String;
    /// Names and contents of further files for the run directory.
    ///
    /// # Errors
    /// None in practice: the files are written to memory.
    fn files(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        Ok(Vec::new())
    }
}

/// A title above indented names and values.
pub fn section(title: &str, rows: Vec<(String, String)>) -> String {
    format!("{title}\n{}", pairs(&rows))
}

/// A name and a value of a section.
pub fn row(name: &str, value: impl ToString) -> (String, String) {
    (name.into(), value.to_string())
}

fn percent(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{value:.2} %"))
}

fn points(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{value:.2} points"))
}

fn correlation(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{value:.3}"))
}
