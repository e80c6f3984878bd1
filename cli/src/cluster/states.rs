//! The states of a plan's runs: from their files, and for unfinished ones from the queue of Slurm.

use super::slurm::{QueuedTask, TaskState};
use super::{ClusterDir, Failure, Plan, Round, attempt, round};
use crate::exit::ExitStatus;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Number of lines of a task's output that are shown for a lost run.
const LAST_LINES: usize = 3;
/// Number of bytes of a log in which they are looked for.
const MAX_END: u64 = 1 << 16;
/// Number of runs whose problems are shown.
const MAX_PROBLEMS: usize = 10;
/// The reasons of Slurm for which tasks wait a while.
const TEMPORARY_REASONS: [&str; 8] =
    ["None", "Priority", "Resources", "JobArrayTaskLimit", "BeginTime", "Dependency", "Licenses", "Prolog"];

/// The state of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// Its directory is complete.
    Done,
    /// Its task has started.
    Running,
    /// Its task waits in the queue.
    Pending,
    /// Its last attempt ended with an error.
    Failed(Failure),
    /// Its task was cancelled before its end.
    Stopped,
    /// No task of it is in the queue, and it is not finished.
    Lost,
}

impl RunState {
    /// Whether another attempt may succeed: after a lost node, or an exit code that does not exclude it.
    pub fn is_worth_retrying(&self) -> bool {
        match self {
            Self::Lost => true,
            Self::Failed(failure) => failure.code == ExitStatus::Failure as u8,
            Self::Done | Self::Running | Self::Pending | Self::Stopped => false,
        }
    }
}

/// The states of all runs, by their numbers.
#[derive(Debug)]
pub struct States {
    /// The names of the runs.
    pub names: Vec<String>,
    /// One state per run.
    pub states: Vec<RunState>,
    /// How often each run was submitted.
    pub submissions: Vec<usize>,
    /// The output file of the last task of each run.
    logs: BTreeMap<usize, PathBuf>,
    /// Unusual reasons why tasks wait: they may never start.
    pub reasons: BTreeSet<String>,
    /// Whether a task of the plan has written to the output directory.
    pub is_seen: bool,
    /// Whether the tasks were cancelled with `cluster cancel`.
    pub is_cancelled: bool,
}

impl States {
    /// Reads the states. `queue` has the tasks of the plan; it is read before the files, so that a task that ends
    /// meanwhile has left its files.
    ///
    /// # Errors
    /// A damaged plan.
    pub fn read(plan: &Plan, rounds: &[Round], queue: &[QueuedTask]) -> Result<Self> {
        let names = plan.names()?.to_vec();
        let is_cancelled = round::is_cancelled(plan, rounds.len());
        let (mut submissions, mut logs) = (vec![0; names.len()], BTreeMap::new());
        let mut queued: BTreeMap<usize, TaskState> = BTreeMap::new();
        let tasks: BTreeMap<(u64, usize), TaskState> =
            queue.iter().map(|task| ((task.job, task.task), task.state)).collect();
        for round in rounds {
            for (run, part, task) in round.runs(names.len()) {
                submissions[run] += 1;
                logs.insert(run, plan.logs(round.number, part).join(format!("{task}.log")));
                // A later submission replaces a cancelled one.
                let earlier = queued.remove(&run).filter(|state| *state != TaskState::Cancelled);
                let latest = round.jobs.get(&part).and_then(|job| tasks.get(&(*job, task))).copied();
                if let Some(state) = earlier.max(latest) {
                    queued.insert(run, state);
                }
            }
        }
        let mut listings = Listings::default();
        let state = |(run, name): (usize, &String)| match queued.get(&run) {
            _ if listings.has(&plan.dir.published(name)) => RunState::Done,
            Some(TaskState::Running) => RunState::Running,
            Some(TaskState::Pending) => RunState::Pending,
            found => match attempt::failure(&plan.dir, name) {
                Some(failure) if failure.code == ExitStatus::Interrupted as u8 => RunState::Stopped,
                Some(failure) => RunState::Failed(failure),
                None if is_cancelled || found.is_some() => RunState::Stopped,
                None => RunState::Lost,
            },
        };
        let states: Vec<RunState> = names.iter().enumerate().map(state).collect();
        let pending = queue.iter().filter(|task| task.state == TaskState::Pending);
        let reasons = pending
            .map(|task| task.reason.clone())
            .filter(|reason| !TEMPORARY_REASONS.contains(&reason.as_str()))
            .collect();
        let is_seen = states.contains(&RunState::Done) || plan.dir.attempts("").exists();
        Ok(Self { names, states, submissions, logs, reasons, is_seen, is_cancelled })
    }

    /// Number of runs in a state.
    pub fn count(&self, is_in_state: impl Fn(&RunState) -> bool) -> usize {
        self.states.iter().filter(|state| is_in_state(state)).count()
    }

    /// Number of finished runs.
    pub fn done(&self) -> usize {
        self.count(|state| *state == RunState::Done)
    }

    /// The runs for which `choose` holds, by number.
    pub fn chosen(&self, choose: impl Fn(usize, &RunState) -> bool) -> Vec<usize> {
        self.states.iter().enumerate().filter(|(run, state)| choose(*run, state)).map(|(run, _)| run).collect()
    }

    /// The counts as text: `12 of 48 runs done, 4 running, 30 pending, 1 failed, 1 lost`.
    pub fn summary(&self) -> String {
        let others = self.unfinished_counts();
        let separator = if others.is_empty() { "" } else { ", " };
        format!("{} of {} runs done{separator}{others}", self.done(), self.names.len())
    }

    /// The counts of unfinished runs as text: `4 running, 30 pending`.
    pub fn unfinished_counts(&self) -> String {
        let counts = [
            (self.count(|state| *state == RunState::Running), "running"),
            (self.count(|state| *state == RunState::Pending), "pending"),
            (self.count(|state| matches!(state, RunState::Failed(_))), "failed"),
            (self.count(|state| *state == RunState::Stopped), "stopped"),
            (self.count(|state| *state == RunState::Lost), "lost"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}"));
        counts.collect::<Vec<_>>().join(", ")
    }

    /// A line for each of the first failed, stopped and lost runs, with its message or the last lines of its output,
    /// and for tasks that may never start.
    pub fn problems(&self) -> Vec<String> {
        let problems: Vec<String> = (0..self.states.len()).filter_map(|run| self.problem(run)).collect();
        let more = problems.len().saturating_sub(MAX_PROBLEMS);
        let more = (more > 0).then(|| format!("and {more} more"));
        let waiting = (!self.reasons.is_empty()).then(|| self.waiting());
        problems.into_iter().take(MAX_PROBLEMS).chain(more).chain(waiting).collect()
    }

    /// As [`problems`](Self::problems), without lost runs: those of a plan that was not submitted may not have started.
    pub fn failures(&self) -> Vec<String> {
        let has_ended = |(run, state): (usize, &RunState)| (*state != RunState::Lost).then(|| self.problem(run))?;
        self.states.iter().enumerate().filter_map(has_ended).take(MAX_PROBLEMS).collect()
    }

    /// What is wrong with a run; none if nothing is.
    pub fn problem(&self, run: usize) -> Option<String> {
        match &self.states[run] {
            RunState::Failed(Failure { code, message, host }) => {
                Some(format!("{} failed on {host} with exit code {code}: {message}", self.names[run]))
            }
            RunState::Stopped => {
                let remedy = match self.submissions[run] {
                    0 => "its command of cluster/commands.txt continues it",
                    _ => "`nas-train cluster retry` continues it",
                };
                Some(format!("{} was stopped before its end; {remedy}", self.names[run]))
            }
            RunState::Lost => Some(format!("{} is lost: {}", self.names[run], self.last_lines(run))),
            RunState::Done | RunState::Running | RunState::Pending => None,
        }
    }

    /// The unusual reasons why tasks wait, as text.
    pub fn waiting(&self) -> String {
        let reasons: Vec<&str> = self.reasons.iter().map(String::as_str).collect();
        format!("tasks wait for {}; `scontrol show job` explains it", reasons.join(", "))
    }

    fn last_lines(&self, run: usize) -> String {
        let Some(path) = self.logs.get(&run) else { return "it was not submitted".into() };
        let Ok(end) = end_of(path) else {
            let reason = "this directory may not be mounted on the node, or the task ended before the program started";
            return format!("its task wrote no output to {} ({reason})", path.display());
        };
        let lines: Vec<&str> = end.lines().collect();
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join(" / ");
        if last.is_empty() {
            return format!("its task ended without a result and without output in {}", path.display());
        }
        format!("its task ended without a result; the end of {}: {last}", path.display())
    }

    /// Numbers of the runs whose run directory or row file is not listed.
    pub fn unfinished(dir: &ClusterDir, names: &[String]) -> Vec<usize> {
        let mut listings = Listings::default();
        let is_missing = |(_, name): &(usize, &String)| !listings.has(&dir.published(name));
        names.iter().enumerate().filter(is_missing).map(|(run, _)| run).collect()
    }
}

/// The entries of directories, each read once.
#[derive(Default)]
pub struct Listings(BTreeMap<PathBuf, BTreeSet<OsString>>);

impl Listings {
    /// Whether its directory lists an entry.
    pub fn has(&mut self, path: &Path) -> bool {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return false };
        let read = || fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
        self.0.entry(parent.into()).or_insert_with(read).contains(name)
    }
}

/// The end of a file of any size.
fn end_of(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MAX_END)))?;
    let mut end = Vec::new();
    file.take(MAX_END).read_to_end(&mut end)?;
    Ok(String::from_utf8_lossy(&end).into_owned())
}
