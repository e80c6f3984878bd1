//! `plan.jsonl`: the runs of a command, one line each, as the tasks of a cluster read them.

use super::ClusterDir;
use super::plan_change::remove_changed_attempts;
use super::plan_entry::{FORMAT, PlanEntry, PlanHeader};
use crate::exit::UsageError;
use crate::files;
use anyhow::{Context, Result};
use nas_core::sha256;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The largest size of a plan in bytes: about a million runs.
const LIMIT: u64 = 1 << 31;
/// Number of digits of the plan's hash in the name of its jobs.
const NAME_DIGITS: usize = 12;

/// A line of a plan.
#[derive(Serialize, Deserialize)]
struct Line<R> {
    /// SHA-256 of the run's JSON text.
    sha256: String,
    run: R,
}

/// The part of a run that its state needs.
#[derive(Deserialize)]
struct Name {
    name: String,
}

/// A plan in its file.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The directory of the plan.
    pub dir: ClusterDir,
    /// The first line.
    pub header: PlanHeader,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The lines of the runs.
    lines: Vec<String>,
    /// The names of the runs, once they are read from the lines: a waiting command needs them again and again.
    names: OnceLock<Vec<String>>,
}

impl Plan {
    /// Writes a plan; the file appears whole or not at all. An existing plan that has all these runs is used.
    /// `check_idle` returns an error if another existing plan has tasks; otherwise, that plan is set aside. The caller
    /// has claimed the directory.
    ///
    /// # Errors
    /// The error of `check_idle`, attempts with a checkpoint that the runs cannot continue, or the file cannot be
    /// written.
    pub fn create(
        dir: &ClusterDir,
        header: &PlanHeader,
        runs: &[PlanEntry],
        check_idle: impl Fn(&Self) -> Result<()>,
    ) -> Result<Self> {
        let mut lines = vec![serde_json::to_string(header)?];
        for run in runs {
            let sha256 = sha256::of(serde_json::to_string(run)?.as_bytes());
            lines.push(serde_json::to_string(&Line { sha256, run })?);
        }
        let text = lines.join("\n") + "\n";
        let path = dir.plan();
        loop {
            if !files::is_listed(&path) {
                match files::create_shared(&path, &text) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    created => {
                        created.with_context(|| format!("cannot write {}", path.display()))?;
                        return Self::parse(dir, &text, sha256::of(text.as_bytes()));
                    }
                }
            }
            let old = Self::read(dir)?;
            let known: BTreeSet<&String> = old.lines.iter().collect();
            let has_all = lines[1..].iter().all(|line| known.contains(line));
            if has_all && old.header.difference(header).is_none() {
                return Ok(old);
            }
            check_idle(&old)?;
            remove_changed_attempts(dir, header, runs)?;
            old.set_aside()?;
        }
    }

    /// Renames the file of a plan whose tasks are finished.
    fn set_aside(&self) -> Result<()> {
        let path = self.dir.plan();
        let aside = self.dir.out().join(format!("plan-{}.jsonl", &self.sha256[..NAME_DIGITS]));
        fs::rename(&path, aside).with_context(|| format!("cannot rename {}", path.display()))
    }

    /// The directory with the records of what was submitted.
    pub fn submitted(&self) -> PathBuf {
        self.dir.scheduler().join(&self.sha256[..NAME_DIGITS]).join("submitted")
    }

    /// The directory of the output of a job array's tasks.
    pub fn logs(&self, round: usize, part: usize) -> PathBuf {
        self.all_logs().join(format!("{round}-{part}"))
    }

    /// The directory of the output of all tasks.
    pub fn all_logs(&self) -> PathBuf {
        self.dir.scheduler().join(&self.sha256[..NAME_DIGITS]).join("logs")
    }

    /// Reads the plan of a directory.
    ///
    /// # Errors
    /// There is no plan, or it is damaged.
    pub fn read(dir: &ClusterDir) -> Result<Self> {
        let path = dir.plan();
        let text = match files::shared_text(&path, LIMIT) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let problem = "has no plan.jsonl: name the --out of a command with --cluster";
                return Err(UsageError(format!("{} {problem}", dir.out().display())).into());
            }
            text => text.with_context(|| format!("cannot read {}", path.display()))?,
        };
        Self::parse(dir, &text, sha256::of(text.as_bytes()))
    }

    /// Reads the plan file of a task, which must have this hash.
    ///
    /// # Errors
    /// The file is not visible on this machine, it has other content, or it is of another version.
    pub fn read_by_task(path: &Path, expected: Option<&str>) -> Result<Self> {
        let dir = ClusterDir::of(path.parent().unwrap_or(Path::new("")));
        let text = match files::shared_text(path, LIMIT) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let host = crate::machine::host().unwrap_or_else(|| "this machine".into());
                let problem = "--out must be in a directory that all nodes share";
                return Err(UsageError(format!("{} is not visible on {host}: {problem}", path.display())).into());
            }
            text => text.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let found = sha256::of(text.as_bytes());
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            let problem = format!("has changed since it was submitted (SHA-256 {found:.12}, expected {expected:.12})");
            let remedy = "restore it, or repeat the command with another --out";
            return Err(UsageError(format!("{} {problem}: {remedy}", path.display())).into());
        }
        let plan = Self::parse(&dir, &text, found)?;
        let version = env!("CARGO_PKG_VERSION");
        if plan.header.version != version {
            let problem = format!("was made by version {}, this is {version}", plan.header.version);
            return Err(UsageError(format!("{} {problem}: use the same program on all nodes", path.display())).into());
        }
        Ok(plan)
    }

    fn parse(dir: &ClusterDir, text: &str, sha256: String) -> Result<Self> {
        let damaged = |problem: String| UsageError(format!("{} is damaged: {problem}", dir.plan().display()));
        let mut lines = text.lines().map(str::to_owned);
        let header = lines.next().unwrap_or_default();
        let header: PlanHeader =
            serde_json::from_str(&header).map_err(|error| damaged(format!("the first line: {error}")))?;
        if header.plan != FORMAT {
            return Err(damaged(format!("format {}, expected {FORMAT}", header.plan)).into());
        }
        let lines: Vec<String> = lines.collect();
        if lines.len() != header.runs || !text.ends_with('\n') {
            return Err(damaged(format!("{} runs, expected {}", lines.len(), header.runs)).into());
        }
        Ok(Self { dir: dir.clone(), header, sha256, lines, names: OnceLock::new() })
    }

    /// Number of runs.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// The name of the jobs of this plan.
    pub fn job_name(&self) -> String {
        format!("nas-{}", &self.sha256[..NAME_DIGITS])
    }

    /// The names of all runs.
    ///
    /// # Errors
    /// A damaged line.
    pub fn names(&self) -> Result<&[String]> {
        if let Some(names) = self.names.get() {
            return Ok(names);
        }
        let name = |(number, line): (usize, &String)| {
            let line: Line<Name> =
                serde_json::from_str(line).map_err(|error| self.damaged(number, &error.to_string()))?;
            Ok(line.run.name)
        };
        let names = self.lines.iter().enumerate().map(name).collect::<Result<_>>()?;
        Ok(self.names.get_or_init(|| names))
    }

    /// A run by its number from 0.
    ///
    /// # Errors
    /// The plan has fewer runs, or its line is damaged.
    pub fn run(&self, number: usize) -> Result<PlanEntry> {
        let Some(line) = self.lines.get(number) else {
            let problem = format!("{} has {} runs, so there is no run {number}", self.dir.plan().display(), self.len());
            return Err(UsageError(format!("{problem}; expected at most {}", self.len().saturating_sub(1))).into());
        };
        let line: Line<PlanEntry> =
            serde_json::from_str(line).map_err(|error| self.damaged(number, &error.to_string()))?;
        if line.sha256 != sha256::of(serde_json::to_string(&line.run)?.as_bytes()) {
            return Err(self.damaged(number, "its hash differs").into());
        }
        Ok(line.run)
    }

    fn damaged(&self, number: usize, problem: &str) -> UsageError {
        let remedy = "restore the file, or repeat the command with another --out";
        UsageError(format!("{} is damaged: run {number}: {problem}; {remedy}", self.dir.plan().display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::PlannedWork;
    use crate::data::DataIdentity;
    use crate::exit::chained;
    use crate::run_kind::RunKind;
    use toml::Table;

    fn runs(n: u64) -> Vec<PlanEntry> {
        let config: Table = "seed = 1\n[train]\nlr = 0.025\nepochs = 1".parse().unwrap();
        let run = |seed| PlanEntry {
            name: format!("runs/plain-s{seed}"),
            label: "plain".into(),
            seed,
            work: PlannedWork::Directory(RunKind::Supernet),
            truth: None,
            config: config.clone(),
        };
        (0..n).map(run).collect()
    }

    fn create(dir: &ClusterDir, n: u64, is_idle: bool) -> Result<Plan> {
        let header = PlanHeader::of_this_command(n as usize, &DataIdentity::default())?;
        Plan::create(dir, &header, &runs(n), |_| if is_idle { Ok(()) } else { Err(UsageError("busy".into()).into()) })
    }

    #[test]
    fn a_plan_is_read_as_it_was_written_and_never_replaced_while_it_is_in_use() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = ClusterDir::of(temporary.path());
        let plan = create(&dir, 3, false).unwrap();
        assert_eq!((plan.len(), plan.run(2).unwrap()), (3, runs(3)[2].clone()));
        assert_eq!(plan.names().unwrap()[1], "runs/plain-s1");
        assert_eq!(create(&dir, 3, false).unwrap().sha256, plan.sha256);
        assert_eq!(create(&dir, 2, false).unwrap().sha256, plan.sha256);
        assert_eq!(create(&dir, 4, false).unwrap_err().to_string(), "busy");
        assert_eq!(create(&dir, 4, true).unwrap().len(), 4);
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 2);
        assert!(plan.run(3).unwrap_err().to_string().contains("has 3 runs, so there is no run 3"));
    }

    #[test]
    fn changed_plans_are_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = ClusterDir::of(temporary.path());
        let plan = create(&dir, 2, false).unwrap();
        let text = fs::read_to_string(dir.plan()).unwrap();
        let task = |text: &str, sha256: Option<&str>| {
            fs::write(dir.plan(), text).unwrap();
            let run = Plan::read_by_task(&dir.plan(), sha256).and_then(|plan| plan.run(0));
            chained(&run.unwrap_err())
        };
        let changed = text.replace("0.025", "0.25");
        assert!(task(&changed, Some(&plan.sha256)).contains("has changed since it was submitted"));
        assert!(task(&changed, None).contains("its hash differs"));
        assert!(task(&text[..text.len() - 9], None).contains("is damaged"));
        assert!(task("", None).contains("is damaged"));
        let version = format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION"));
        assert!(task(&text.replace(&version, "\"version\":\"0.0.1\""), None).contains("was made by version 0.0.1"));
        fs::remove_file(dir.plan()).unwrap();
        let message = chained(&Plan::read_by_task(&dir.plan(), None).unwrap_err());
        assert!(message.contains("--out must be in a directory that all nodes share"), "{message}");
    }
}
