//! Collecting the runs of directories, which hold single runs, sequences, stand-alone trainings or comparisons.

use super::labels::{LabelledRun, labels};
use super::resolved::resolved;
use crate::archive::{Archived, ArchivedRun, ArchivedSequence, check_schema};
use crate::comparison::{VariantRuns, is_comparison};
use crate::exit::chained;
use crate::plugin_build::recorded_build;
use crate::sharding;
use crate::text::eprint_line;
use crate::trainings::{self, TrainingGroup, seed_directories};
use nas_core::config::RunConfig;
use nas_core::read_file;
use nas_core::result::Truth;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The largest size of `comparison.json` in bytes.
const LIMIT: u64 = 1 << 28;

/// What was found in the directories.
#[derive(Default)]
pub struct CollectedRuns {
    /// Runs with the label from their comparison; the name of the strategy for runs outside of one.
    runs: Vec<(String, ArchivedRun)>,
    /// Sequences, labelled likewise.
    pub sequences: Vec<(String, ArchivedSequence)>,
    /// Stand-alone trainings.
    pub trainings: Vec<TrainingGroup>,
    /// Directories and files that are not shown, with the reason.
    pub problems: Vec<(PathBuf, String)>,
    /// The budget of the comparison; none unless all runs belong to one comparison.
    pub budget: Option<String>,
    /// The notes of the comparisons.
    pub notes: Vec<String>,
    /// Canonical paths of the directories read, so that each is read once.
    seen: BTreeSet<PathBuf>,
}

impl CollectedRuns {
    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.sequences.is_empty() && self.trainings.is_empty()
    }

    /// Adds the runs of a directory.
    pub fn add(&mut self, path: &Path) {
        let is_first = self.seen.is_empty();
        match read_file::text(&path.join("comparison.json"), LIMIT).map(|text| serde_json::from_str(&text)) {
            Ok(Ok(comparison)) => match check_schema(&comparison, "comparison.json") {
                Ok(()) => self.add_comparison(path, &comparison),
                Err(error) => self.problems.push((path.into(), error.to_string())),
            },
            Ok(Err(_)) => {
                self.problems.push((path.join("comparison.json"), "the file is damaged".into()));
                self.add_runs_below(path);
            }
            Err(_) if is_comparison(path) && !path.join("manifest.json").exists() => {
                self.problems.push((path.into(), "the comparison is unfinished".into()));
                self.add_runs_below(path);
            }
            Err(_) => match seed_directories(path) {
                Ok(seeds) if !seeds.is_empty() && !path.join("manifest.json").exists() => {
                    let name = path.display().to_string();
                    seeds.iter().for_each(|seed| self.add_directory(seed, Some(&name)));
                }
                _ => self.add_directory(path, None),
            },
        }
        self.budget = self.budget.take().filter(|_| is_first);
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
                self.add_directory(&path.join("runs").join(run), label);
            }
            if let Some(sequence) = strategy["sequence"].as_str() {
                self.add_directory(&path.join("sequences").join(sequence), label);
            }
        }
    }

    /// Adds the runs of a comparison without a readable `comparison.json`.
    fn add_runs_below(&mut self, path: &Path) {
        let entries = sharding::entries(&path.join("runs")).unwrap_or_default();
        entries.iter().filter(|path| path.is_dir()).for_each(|dir| self.add_directory(dir, None));
    }

    fn add_directory(&mut self, path: &Path, label: Option<&str>) {
        if !self.seen.insert(path.canonicalize().unwrap_or_else(|_| path.into())) {
            return;
        }
        // A supernet has the label of its comparison, a stand-alone training the directory that the user named.
        let label_or = |strategy: &str| label.unwrap_or(strategy).to_owned();
        match Archived::read(path) {
            Ok(Archived::Run(run)) => self.runs.push((label_or(&run.result.strategy), *run)),
            Ok(Archived::Sequence(sequence)) => {
                self.sequences.push((label_or(&sequence.result.strategy), *sequence));
            }
            Ok(Archived::Retrain(run)) => {
                let name = label.map_or_else(|| path.display().to_string(), Into::into);
                if let Err(error) = trainings::add(&mut self.trainings, &name, *run) {
                    self.problems.push((path.into(), chained(&error)));
                }
            }
            Err(error) => self.problems.push((path.into(), chained(&error))),
        }
    }

    /// The collected runs.
    pub fn runs(&self) -> impl Iterator<Item = &ArchivedRun> {
        self.runs.iter().map(|(_, run)| run)
    }

    /// Moves the runs out, by variant and ascending seed. A second run of one variant and seed is a problem: it repeats
    /// the first one bit by bit, so it must not count as a further seed.
    pub fn variants(&mut self) -> Vec<VariantRuns> {
        let runs = std::mem::take(&mut self.runs);
        let labels = labels(&runs.iter().map(labelled_run).collect::<Vec<_>>());
        let mut variants: Vec<VariantRuns> = Vec::new();
        for ((_, run), label) in runs.into_iter().zip(labels) {
            let Some(variant) = variants.iter_mut().find(|variant| variant.label == label) else {
                variants.push(VariantRuns { label, runs: vec![run] });
                continue;
            };
            match variant.runs.iter().find(|other| other.result.seed == run.result.seed) {
                Some(other) => {
                    let problem = format!("{} is the same run of {label}, with the same seed", other.path.display());
                    self.problems.push((run.path, problem));
                }
                None => variant.runs.push(run),
            }
        }
        variants.iter_mut().for_each(|variant| variant.runs.sort_by_key(|run| run.result.seed));
        variants
    }

    /// Moves the sequences out, with labels that distinguish their settings. A second sequence of one label, seed and list
    /// of architectures is a problem, as in [`variants`](Self::variants).
    pub fn labelled_sequences(&mut self) -> Vec<(String, ArchivedSequence)> {
        let sequences = std::mem::take(&mut self.sequences);
        let labels = labels(&sequences.iter().map(labelled_sequence).collect::<Vec<_>>());
        let mut shown: Vec<(String, ArchivedSequence)> = Vec::new();
        for ((_, sequence), label) in sequences.into_iter().zip(labels) {
            let identity = |sequence: &ArchivedSequence| (sequence.result.seed, sequence.result.archs.clone());
            match shown.iter().find(|other| other.0 == label && identity(&other.1) == identity(&sequence)) {
                Some((_, other)) => {
                    let problem =
                        format!("{} is the same sequence of {label}, with the same seed", other.path.display());
                    self.problems.push((sequence.path, problem));
                }
                None => shown.push((label, sequence)),
            }
        }
        shown
    }

    /// Prints a warning for every problem.
    pub fn warn(&self) {
        for (path, problem) in &self.problems {
            eprint_line(&format!("warning: not shown: {}: {problem}", path.display()));
        }
    }
}

fn labelled_run((name, run): &(String, ArchivedRun)) -> LabelledRun<'_> {
    labelled(name, &run.config, &run.manifest, run.result.truth.as_ref())
}

fn labelled_sequence((name, sequence): &(String, ArchivedSequence)) -> LabelledRun<'_> {
    labelled(name, &sequence.config, &sequence.manifest, None)
}

fn labelled<'a>(name: &'a str, config: &RunConfig, manifest: &'a Value, truth: Option<&Truth>) -> LabelledRun<'a> {
    LabelledRun { name, config: resolved(config, truth), plugin: recorded_build(&config.strategy.name, manifest) }
}
