//! The catalogue of figures: every number by which runs are compared, and every metric recorded over a run.
//!
//! [`FIGURES`] describes the figures of a finished run. The terminal tables, `comparison.csv`, `runs.csv`, the HTML
//! report and the tables of `docs/output.md` take names, units and values from it. [`METRICS`] does the same for the
//! rows of `metrics.csv`. To add a figure, add its field to [`result`](crate::result) and one entry to [`FIGURES`],
//! then write the tables of the document anew: `UPDATE_DOCS=1 cargo test -p nas-core --test figures`.

mod figure;
mod metric;

pub use figure::FIGURES;
pub use metric::METRICS;

use crate::result::RunResult;

/// Direction in which a figure improves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Larger values are better.
    Higher,
    /// Smaller values are better.
    Lower,
    /// The figure measures no quality: a cost, a size or a signed change.
    Neither,
}

impl Direction {
    /// The direction in CSV files: `higher`, `lower` or empty.
    pub fn key(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::Neither => "",
        }
    }
}

/// A figure of a finished run.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// Name in CSV and JSON files, in snake_case.
    pub key: &'static str,
    /// Name in tables and reports.
    pub title: &'static str,
    /// Unit: `%`, `points`, `nats`, `s`, `MiB`, or empty for pure numbers and counts.
    pub unit: &'static str,
    /// Direction in which the figure improves.
    pub direction: Direction,
    /// Number of decimals in tables and reports. Files hold all digits.
    pub decimals: usize,
    /// Definition in one sentence.
    pub definition: &'static str,
    /// Dotted path of the value in `result.json`, such as `truth.gt_tau`.
    pub path: &'static str,
    /// Returns the value, or `None` where the figure does not apply to the run.
    pub value: fn(&RunResult) -> Option<f64>,
    /// Whether the figure is a cost of time or memory, which differs between equal runs. All other figures are equal,
    /// bit for bit.
    pub is_cost: bool,
    /// Name of the random stream for the bootstrap interval of the figure. It is the key that the figure had in schema
    /// 1, so that intervals keep their values when a key changes.
    pub stream: &'static str,
}

impl Figure {
    /// The figure with this key.
    pub fn find(key: &str) -> Option<&'static Self> {
        FIGURES.iter().find(|figure| figure.key == key)
    }

    /// The title, with the unit in parentheses where there is one.
    pub fn heading(&self) -> String {
        match self.unit {
            "" => self.title.to_owned(),
            unit => format!("{} ({unit})", self.title),
        }
    }
}

/// A metric that is recorded over a run, in `metrics.csv` and in TensorBoard event files.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Part of the run that the metric describes: `train`, `eval`, `probe`, `controller` or `strategy`.
    pub split: &'static str,
    /// Name within the split, in snake_case. `_K` at its end stands for an interval in epochs, and `.GROUP` for the
    /// first part of a layer's name.
    pub key: &'static str,
    /// Unit, as in [`Figure::unit`].
    pub unit: &'static str,
    /// Definition in one sentence.
    pub definition: &'static str,
}
