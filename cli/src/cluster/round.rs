//! Rounds of submission: which runs were handed to Slurm, in which job arrays. Every round is recorded before its first
//! array is submitted, so that a command that was killed continues it and submits nothing twice.

use super::arrays::{ArrayPart, shares, split};
use super::hand_over::CLAIM_TIMEOUT;
use super::slurm::{QueuedTask, SubmittedArray, TaskState};
use super::{Plan, Slurm};
use crate::claim::Claim;
use crate::files;
use anyhow::{Context, Result};
use nas_core::config::ClusterConfig;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

/// The largest size of a record in bytes.
const LIMIT: u64 = 1 << 28;

/// Runs that were submitted together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Number of the round, from 0.
    pub number: usize,
    /// Number of runs of a task.
    pub runs_per_task: usize,
    /// The job arrays.
    pub parts: Vec<ArrayPart>,
    /// The number of each job array that was submitted.
    #[serde(default)]
    pub jobs: BTreeMap<usize, u64>,
    /// Time of the record, in seconds since 1970.
    pub time: u64,
}

impl Round {
    /// The runs of a task of a part.
    pub fn runs_of(&self, part: usize, task: usize, count: usize) -> std::ops::Range<usize> {
        let offset = self.parts.get(part).map_or(0, |part| part.offset);
        let first = offset.saturating_add(task).saturating_mul(self.runs_per_task).min(count);
        first..first.saturating_add(self.runs_per_task).min(count)
    }

    /// All runs of the round, with their part and task.
    pub fn runs(&self, count: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        self.parts.iter().enumerate().flat_map(move |(number, part)| {
            part.tasks
                .iter()
                .flat_map(move |task| self.runs_of(number, *task, count).map(move |run| (run, number, *task)))
        })
    }

    /// Time since the submission.
    pub fn age(&self) -> Duration {
        UNIX_EPOCH.elapsed().unwrap_or_default().saturating_sub(Duration::from_secs(self.time))
    }

    fn path(plan: &Plan, number: usize) -> PathBuf {
        plan.submitted().join(format!("round-{number}.json"))
    }

    fn write(&self, plan: &Plan) -> Result<()> {
        files::write_shared(&Self::path(plan, self.number), &(serde_json::to_string(self)? + "\n"))
    }

    /// What identifies a part in the queue.
    fn comment(&self, part: usize) -> String {
        format!("{}-{part}", self.number)
    }

    /// The parts that are in the queue.
    fn parts_in(&self, queue: &[QueuedTask]) -> Vec<usize> {
        (0..self.parts.len()).filter(|part| queue.iter().any(|task| task.comment == self.comment(*part))).collect()
    }

    fn is_submitted(&self) -> bool {
        self.jobs.len() == self.parts.len()
    }
}

/// Ends all tasks of a plan, and records it, so that a waiting command does not submit them again. Returns their
/// number.
///
/// # Errors
/// Another process submits the plan, or Slurm does not answer.
pub fn cancel(plan: &Plan) -> Result<usize> {
    let _claim = claim(plan)?;
    let count = Slurm.queue(plan)?.iter().filter(|task| task.state != TaskState::Cancelled).count();
    files::write_shared(&plan.submitted().join(cancelled(rounds(plan)?.len())), "")?;
    Slurm.cancel(plan)?;
    Ok(count)
}

/// Whether the tasks of this many rounds were cancelled.
pub fn is_cancelled(plan: &Plan, rounds: usize) -> bool {
    listed(plan).contains(cancelled(rounds).as_str())
}

fn cancelled(rounds: usize) -> String {
    format!("cancelled-{rounds}")
}

/// The names of the records. A listing is right where the attributes of single files are old.
fn listed(plan: &Plan) -> BTreeSet<String> {
    let entries = fs::read_dir(plan.submitted()).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The claim of a process that submits or cancels tasks.
fn claim(plan: &Plan) -> Result<Claim> {
    let dir = plan.submitted();
    files::make_dir(&dir)?;
    Claim::take_within(&dir.join(".owner"), plan.dir.out(), CLAIM_TIMEOUT)
}

/// The rounds of a plan so far.
///
/// # Errors
/// A record that cannot be read.
pub fn rounds(plan: &Plan) -> Result<Vec<Round>> {
    let listed = listed(plan);
    let mut rounds = Vec::new();
    while listed.contains(&format!("round-{}.json", rounds.len())) {
        let path = Round::path(plan, rounds.len());
        let text = files::shared_text(&path, LIMIT).with_context(|| format!("cannot read {}", path.display()))?;
        let round = serde_json::from_str(&text).ok().filter(|round: &Round| round.runs_per_task > 0);
        let damaged = || format!("{} is damaged: remove it, if no task of the plan is in the queue", path.display());
        rounds.push(round.with_context(damaged)?);
    }
    Ok(rounds)
}

/// Completes the submission of the last round, and submits a new round of the runs that `missing` chooses, given the
/// rounds so far and the queue. Returns the number of runs that were submitted.
///
/// # Errors
/// Another process submits the plan, Slurm refuses a job array or does not answer, or a record cannot be written.
pub fn submit(
    plan: &Plan,
    config: &ClusterConfig,
    missing: impl FnOnce(&[Round], &[QueuedTask]) -> Result<Vec<usize>>,
) -> Result<usize> {
    let _claim = claim(plan)?;
    let mut rounds = rounds(plan)?;
    let queue = Slurm.queue(plan)?;
    let is_refused = |round: &Round| round.jobs.is_empty() && round.parts_in(&queue).is_empty();
    if rounds.last().is_some_and(is_refused) {
        // Nothing of it was submitted, and the configuration may have changed since.
        rounds.pop();
    }
    if let Some(last) = rounds.last_mut().filter(|round| !round.is_submitted() && !is_cancelled(plan, round.number + 1))
    {
        submit_parts(plan, last, config, &queue)?;
    }
    let runs = missing(&rounds, &Slurm.queue(plan)?)?;
    if runs.is_empty() {
        return Ok(0);
    }
    let number = rounds.len();
    // A repeated run has a task of its own.
    let runs_per_task = if number == 0 { config.runs_per_task } else { 1 };
    let mut tasks: Vec<usize> = runs.iter().map(|run| run / runs_per_task).collect();
    tasks.dedup();
    let parts = split(&tasks, Slurm.array_limit()?);
    let time = UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs());
    let mut round = Round { number, runs_per_task, parts, jobs: BTreeMap::new(), time };
    // A round of this number may have been refused, and then cancelled.
    files::remove(&plan.submitted().join(cancelled(number + 1)))?;
    round.write(plan)?;
    submit_parts(plan, &mut round, config, &[])?;
    Ok(runs.len())
}

/// Submits the parts of a round that are neither recorded as submitted nor in the queue.
fn submit_parts(plan: &Plan, round: &mut Round, config: &ClusterConfig, queue: &[QueuedTask]) -> Result<()> {
    let shares = shares(config.max_running, round.parts.len());
    for (number, max_running) in shares.into_iter().enumerate() {
        if round.jobs.contains_key(&number) {
            continue;
        }
        let comment = round.comment(number);
        // A process that was killed may have submitted it without a record.
        let queued = queue.iter().find(|task| task.comment == comment).map(|task| task.job);
        let job = match queued {
            Some(job) => job,
            None => {
                let logs = plan.logs(round.number, number);
                let (part, runs_per_task) = (&round.parts[number], round.runs_per_task);
                let array = SubmittedArray { part, runs_per_task, max_running, comment: &comment, logs: &logs };
                Slurm.submit(plan, &array)?
            }
        };
        round.jobs.insert(number, job);
        round.write(plan)?;
    }
    Ok(())
}
