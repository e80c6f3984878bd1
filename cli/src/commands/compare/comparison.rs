//! What a comparison found, and its files.

use super::budget::Length;
use super::figures::{Better, COSTS, all};
use super::statistics::{self, Group, Row};
use crate::files;
use anyhow::Result;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// What a comparison found.
pub struct Comparison {
    /// The variants with their runs.
    pub groups: Vec<Group>,
    /// Their planned lengths; none for runs that were not made together.
    pub lengths: Vec<Length>,
    /// What the runs have equal amounts of.
    pub budget: String,
    /// Figures of the variants.
    pub rows: Vec<Row>,
    /// Figures of what needs no shared weights.
    pub baselines: Vec<Row>,
    /// Sentences that belong to the numbers.
    pub notes: Vec<String>,
    /// What the number of seeds allows to say.
    pub seeds_note: Option<String>,
    /// Names of the directories of sequences, by label.
    pub sequences: BTreeMap<String, String>,
}

impl Comparison {
    /// `3 seeds`: how many there are, of variants with unequally many the most.
    pub fn seeds(&self) -> String {
        match self.groups.iter().map(|group| group.runs.len()).max().unwrap_or(0) {
            1 => "1 seed".into(),
            n => format!("{n} seeds"),
        }
    }

    /// Variants first, then what needs no shared weights.
    pub fn labels(&self) -> Vec<&str> {
        let mut labels: Vec<&str> = self.groups.iter().map(|group| group.label.as_str()).collect();
        for row in &self.baselines {
            if !labels.contains(&row.label.as_str()) {
                labels.push(&row.label);
            }
        }
        labels
    }

    /// Computes the figures of some runs.
    pub fn new(groups: Vec<Group>, lengths: Vec<Length>, budget: String, notes: Vec<String>) -> Self {
        let rows = statistics::rows(&groups);
        let baselines = groups.first().map(statistics::baselines).unwrap_or_default();
        let seeds_note = statistics::seeds_note(&groups);
        Self { groups, lengths, budget, rows, baselines, notes, seeds_note, sequences: BTreeMap::new() }
    }

    /// Writes `runs.csv`, `comparison.csv`, `costs.csv` and `comparison.json` into a directory.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let is_cost = |row: &&Row| COSTS.iter().any(|figure| figure.key == row.figure.key);
        let figures = self.rows.iter().filter(|row| !is_cost(row)).chain(&self.baselines);
        let mut json = self.json();
        json["argv"] = json!(std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>());
        json["version"] = json!(env!("CARGO_PKG_VERSION"));
        for (name, text) in [
            ("runs.csv", self.runs()?),
            ("comparison.csv", tidy(figures)?),
            ("costs.csv", tidy(self.rows.iter().filter(is_cost))?),
            ("comparison.json", serde_json::to_string_pretty(&json)? + "\n"),
        ] {
            files::write(&dir.join(name), &text)?;
        }
        Ok(())
    }

    /// One row a run, one column a figure.
    fn runs(&self) -> Result<String> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["variant", "strategy", "seed", "found"].into_iter().chain(all().map(|f| f.key)))?;
        for group in &self.groups {
            for run in &group.runs {
                let result = &run.result;
                let found = result.best.as_ref().map_or("", |best| &best.arch);
                let start = [group.label.clone(), result.strategy.clone(), result.seed.to_string(), found.into()];
                csv.write_record(start.into_iter().chain(all().map(|f| number((f.of)(run)))))?;
            }
        }
        Ok(String::from_utf8(csv.into_inner()?)?)
    }

    /// The comparison as one object.
    pub fn json(&self) -> Value {
        let strategies = self.groups.iter().enumerate().map(|(number, group)| {
            let length = self.lengths.get(number);
            let of = self.rows.iter().filter(|row| row.label == group.label);
            let figures: Map<String, Value> = of.map(|row| (row.figure.key.into(), figure(row))).collect();
            let seeds: Vec<u64> = group.runs.iter().map(|run| run.result.seed).collect();
            let strategy = group.runs.first().map(|run| &run.result.strategy);
            let dirs: Vec<String> = group.runs.iter().filter_map(|run| run.path.file_name()).map(text).collect();
            json!({
                "label": group.label, "strategy": strategy, "n": group.runs.len(), "seeds": seeds, "length": length,
                "figures": figures, "runs": dirs, "sequence": self.sequences.get(&group.label),
            })
        });
        let baseline = |row: &Row| json!({"label": row.label, "figure": row.figure.key, "value": figure(row)});
        json!({
            "type": "comparison", "schema": 1, "reference": self.groups.first().map(|group| &group.label),
            "budget": self.budget, "strategies": strategies.collect::<Vec<_>>(),
            "baselines": self.baselines.iter().map(baseline).collect::<Vec<_>>(), "notes": self.notes,
            "seeds_note": self.seeds_note,
        })
    }
}

fn text(name: &std::ffi::OsStr) -> String {
    name.to_string_lossy().into_owned()
}

fn figure(row: &Row) -> Value {
    let (lo, hi) = (row.interval.map(|i| i.lo), row.interval.map(|i| i.hi));
    let summary = row.summary;
    json!({
        "n": summary.n, "mean": summary.mean, "std": summary.std, "lo": lo, "hi": hi, "difference": row.difference,
    })
}

/// One row a figure.
fn tidy<'a>(rows: impl Iterator<Item = &'a Row>) -> Result<String> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record([
        "variant",
        "figure",
        "unit",
        "better",
        "n",
        "mean",
        "std",
        "lo",
        "hi",
        "difference",
        "difference_n",
        "difference_std",
        "difference_lo",
        "difference_hi",
        "difference_p",
        "verdict",
    ])?;
    for row in rows {
        let better = match row.figure.better {
            Better::Higher => "higher",
            Better::Lower => "lower",
            Better::Neither => "",
        };
        let (summary, difference) = (row.summary, row.difference.as_ref());
        csv.write_record([
            row.label.as_str(),
            row.figure.key,
            row.figure.unit,
            better,
            &summary.n.to_string(),
            &summary.mean.to_string(),
            &number(summary.std),
            &number(row.interval.map(|i| i.lo)),
            &number(row.interval.map(|i| i.hi)),
            &number(difference.map(|d| d.mean)),
            &difference.map(|d| d.n.to_string()).unwrap_or_default(),
            &number(difference.and_then(|d| d.std)),
            &number(difference.and_then(|d| d.lo)),
            &number(difference.and_then(|d| d.hi)),
            &number(difference.map(|d| d.p)),
            difference.map_or("", |d| d.verdict),
        ])?;
    }
    Ok(String::from_utf8(csv.into_inner()?)?)
}

fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
