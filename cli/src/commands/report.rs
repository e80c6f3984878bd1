//! `nas-train report`: the page of runs that are there already.

use super::{Comparison, Group};
use crate::archive::{Folder, RunFolder, SequenceFolder};
use crate::args::ReportArgs;
use crate::exit::{ExitStatus, UsageError, chained};
use crate::html::Report;
use crate::text::{print, say};
use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Writes the report of some directories. What cannot be read is told and left out.
///
/// # Errors
/// Nothing that can be shown, or files that cannot be written.
pub fn report(args: &ReportArgs) -> Result<ExitStatus> {
    let mut found = Found::default();
    args.runs.iter().for_each(|path| found.add(path));
    if found.runs.is_empty() && found.sequences.is_empty() {
        found.warn();
        return Err(UsageError("none of these directories holds a finished run".into()).into());
    }
    let groups = found.groups();
    found.warn();
    let budget = found.budget.take().unwrap_or_else(|| "nothing in particular".into());
    let comparison = Comparison::new(groups, Vec::new(), budget, found.notes);
    let out = match (&args.out, &args.runs[..]) {
        (Some(out), _) => out.clone(),
        (None, [only]) => only.clone(),
        (None, _) => PathBuf::from("report"),
    };
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    Report { comparison: &comparison, sequences: found.sequences, problems: found.problems }.write(&out)?;
    print(&format!("{}", out.join("report.html").display()))?;
    Ok(ExitStatus::Success)
}

/// What the directories hold.
#[derive(Default)]
struct Found {
    /// Runs, with the label that their comparison gave them, else the name of their strategy.
    runs: Vec<(String, RunFolder)>,
    sequences: Vec<(String, SequenceFolder)>,
    problems: Vec<(PathBuf, String)>,
    /// What the runs have equal amounts of, where all of them are of one comparison.
    budget: Option<String>,
    notes: Vec<String>,
    /// Directories that have been read, however they were called.
    seen: BTreeSet<PathBuf>,
}

impl Found {
    fn add(&mut self, path: &Path) {
        let alone = self.seen.is_empty();
        match fs::read_to_string(path.join("comparison.json")).map(|text| serde_json::from_str(&text)) {
            Ok(Ok(comparison)) => self.add_comparison(path, &comparison),
            Ok(Err(_)) => {
                self.problems.push((path.join("comparison.json"), "it is damaged".into()));
                subfolders(&path.join("runs")).iter().for_each(|dir| self.add_folder(dir, None));
            }
            Err(_) if path.join("runs").is_dir() && !path.join("manifest.json").exists() => {
                // A comparison that has not come to its end.
                self.problems.push((path.into(), "the comparison is unfinished".into()));
                subfolders(&path.join("runs")).iter().for_each(|dir| self.add_folder(dir, None));
            }
            Err(_) => self.add_folder(path, None),
        }
        self.budget = self.budget.take().filter(|_| alone);
    }

    fn add_comparison(&mut self, path: &Path, comparison: &Value) {
        self.budget = comparison["budget"].as_str().map(Into::into);
        let texts = |value: &Value| -> Vec<String> {
            let entries = value.as_array().into_iter().flatten();
            entries.filter_map(|entry| entry.as_str().map(Into::into)).collect()
        };
        for note in texts(&comparison["notes"]) {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        for strategy in comparison["strategies"].as_array().into_iter().flatten() {
            let label = strategy["label"].as_str();
            for run in texts(&strategy["runs"]) {
                self.add_folder(&path.join("runs").join(run), label);
            }
            if let Some(sequence) = strategy["sequence"].as_str() {
                self.add_folder(&path.join("sequences").join(sequence), label);
            }
        }
    }

    fn add_folder(&mut self, path: &Path, label: Option<&str>) {
        if !self.seen.insert(path.canonicalize().unwrap_or_else(|_| path.into())) {
            return;
        }
        match Folder::read(path) {
            Ok(Folder::Run(run)) => {
                self.runs.push((label.map_or_else(|| run.result.strategy.clone(), Into::into), *run));
            }
            Ok(Folder::Sequence(folder)) => {
                let label = label.map_or_else(|| folder.result.strategy.clone(), Into::into);
                self.sequences.push((label, *folder));
            }
            Err(error) => self.problems.push((path.into(), chained(&error))),
        }
    }

    /// The runs by variant and seed. A second run of the same variant and seed is a problem: it is no further evidence.
    fn groups(&mut self) -> Vec<Group> {
        let runs = std::mem::take(&mut self.runs);
        let labels = labels(&runs.iter().map(|(label, run)| (label.as_str(), &run.config)).collect::<Vec<_>>());
        let mut groups: Vec<Group> = Vec::new();
        for ((_, run), label) in runs.into_iter().zip(labels) {
            let Some(group) = groups.iter_mut().find(|group| group.label == label) else {
                groups.push(Group { label, runs: vec![run] });
                continue;
            };
            match group.runs.iter().find(|other| other.result.seed == run.result.seed) {
                Some(other) => {
                    let problem = format!("{} is the same run of {label}, with the same seed", other.path.display());
                    self.problems.push((run.path, problem));
                }
                None => group.runs.push(run),
            }
        }
        groups.iter_mut().for_each(|group| group.runs.sort_by_key(|run| run.result.seed));
        groups
    }

    fn warn(&self) {
        for (path, problem) in &self.problems {
            say(&format!("warning: not shown: {}: {problem}", path.display()));
        }
    }
}

fn subfolders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// The name of each run, with the keys in which runs of that name differ.
fn labels(runs: &[(&str, &RunConfig)]) -> Vec<String> {
    let flat: Vec<BTreeMap<String, String>> = runs.iter().map(|(_, config)| flatten(config)).collect();
    let label = |((name, _), own): (&(&str, &RunConfig), &BTreeMap<String, String>)| {
        let same = runs.iter().zip(&flat).filter(|((other, _), _)| other == name);
        let same: Vec<&BTreeMap<String, String>> = same.map(|(_, flat)| flat).collect();
        let differs = |key: &String| same.iter().any(|other| other.get(key) != own.get(key));
        let differing = own.iter().filter(|(key, _)| differs(key));
        differing.fold((*name).to_owned(), |label, (key, value)| {
            format!("{label}:{}={value}", key.strip_prefix("strategy.").unwrap_or(key))
        })
    };
    runs.iter().zip(&flat).map(label).collect()
}

/// Keys and values that may tell two variants apart: not where the images lie.
fn flatten(config: &RunConfig) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    for (section, value) in config.to_table().unwrap_or_default() {
        if let toml::Value::Table(table) = value {
            flat.extend(table.into_iter().map(|(key, value)| (format!("{section}.{key}"), value.to_string())));
        }
    }
    flat.remove("data.dir");
    flat
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::Table;

    #[test]
    fn labels_tell_variants_of_one_strategy_apart() {
        let config = |strategy: &str, lr: f64, seed: u64| {
            let mut config = RunConfig::from_table(&Table::new()).unwrap();
            (config.strategy.name, config.train.lr, config.seed) = (strategy.into(), lr, seed);
            config
        };
        let configs =
            [config("plain", 0.1, 0), config("plain", 0.1, 1), config("plain", 0.2, 0), config("ogd", 0.3, 0)];
        let runs: Vec<_> = configs.iter().map(|config| (config.strategy.name.as_str(), config)).collect();
        let found = labels(&runs);
        assert_eq!(found, ["plain:train.lr=0.1", "plain:train.lr=0.1", "plain:train.lr=0.2", "ogd"]);
    }
}
