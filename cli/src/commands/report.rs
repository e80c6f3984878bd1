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
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Writes the report of some directories. What cannot be read is told and left out.
///
/// # Errors
/// Nothing that can be shown, or files that cannot be written.
pub fn report(args: &ReportArgs) -> Result<ExitStatus> {
    let mut found = Found::default();
    args.runs.iter().for_each(|path| found.add(path));
    for (path, problem) in &found.problems {
        say(&format!("warning: not shown: {}: {problem}", path.display()));
    }
    if found.runs.is_empty() && found.sequences.is_empty() {
        return Err(UsageError("none of these directories holds a finished run".into()).into());
    }
    let labels = labels(found.runs.iter().map(|(_, run)| &run.config).collect());
    let mut groups: Vec<Group> = Vec::new();
    for ((given, run), derived) in found.runs.into_iter().zip(labels) {
        let label = given.unwrap_or(derived);
        match groups.iter_mut().find(|group| group.label == label) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group { label, runs: vec![run] }),
        }
    }
    groups.iter_mut().for_each(|group| group.runs.sort_by_key(|run| run.result.seed));
    let budget = found.budget.unwrap_or_else(|| "nothing in particular".into());
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
    /// Runs, with the label that their comparison gave them.
    runs: Vec<(Option<String>, RunFolder)>,
    sequences: Vec<(String, SequenceFolder)>,
    problems: Vec<(PathBuf, String)>,
    budget: Option<String>,
    notes: Vec<String>,
}

impl Found {
    fn add(&mut self, path: &Path) {
        match fs::read_to_string(path.join("comparison.json")) {
            Ok(text) => self.add_comparison(path, &text),
            Err(_) if path.join("runs").is_dir() && !path.join("manifest.json").exists() => {
                // A comparison that has not come to its end.
                self.problems.push((path.into(), "the comparison is unfinished".into()));
                subfolders(&path.join("runs")).iter().for_each(|dir| self.add_folder(dir, None));
            }
            Err(_) => self.add_folder(path, None),
        }
    }

    fn add_comparison(&mut self, path: &Path, text: &str) {
        let Ok(comparison) = serde_json::from_str::<Value>(text) else {
            self.problems.push((path.join("comparison.json"), "it is damaged".into()));
            return;
        };
        self.budget = comparison["budget"].as_str().map(Into::into);
        let texts = |value: &Value| -> Vec<String> {
            let entries = value.as_array().into_iter().flatten();
            entries.filter_map(|entry| entry.as_str().map(Into::into)).collect()
        };
        // That on the number of seeds is made anew.
        self.notes.extend(texts(&comparison["notes"]).into_iter().filter(|note| !note.contains("--seeds 6")));
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
        match Folder::read(path) {
            Ok(Folder::Run(run)) => self.runs.push((label.map(Into::into), *run)),
            Ok(Folder::Sequence(folder)) => {
                let label = label.map_or_else(|| folder.result.strategy.clone(), Into::into);
                self.sequences.push((label, *folder));
            }
            Err(error) => self.problems.push((path.into(), chained(&error))),
        }
    }
}

fn subfolders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// The strategy of each configuration, with the keys in which runs of that strategy differ.
fn labels(configs: Vec<&RunConfig>) -> Vec<String> {
    let flat: Vec<BTreeMap<String, String>> = configs.iter().map(|config| flatten(config)).collect();
    let label = |(config, own): (&&RunConfig, &BTreeMap<String, String>)| {
        let strategy = &config.strategy.name;
        let same = configs.iter().zip(&flat).filter(|(other, _)| other.strategy.name == *strategy);
        let same: Vec<&BTreeMap<String, String>> = same.map(|(_, flat)| flat).collect();
        let differs = |key: &String| same.iter().any(|other| other.get(key) != own.get(key));
        let differing = own.iter().filter(|(key, _)| differs(key));
        differing.fold(strategy.clone(), |label, (key, value)| {
            format!("{label}:{}={value}", key.strip_prefix("strategy.").unwrap_or(key))
        })
    };
    configs.iter().zip(&flat).map(label).collect()
}

/// Keys and values that may tell two variants apart.
fn flatten(config: &RunConfig) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    for (section, value) in config.to_table().unwrap_or_default() {
        if let toml::Value::Table(table) = value {
            flat.extend(table.into_iter().map(|(key, value)| (format!("{section}.{key}"), value.to_string())));
        }
    }
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
        let found = labels(configs.iter().collect());
        assert_eq!(found, ["plain:train.lr=0.1", "plain:train.lr=0.1", "plain:train.lr=0.2", "ogd"]);
    }
}
