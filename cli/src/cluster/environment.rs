//! The environment variables with which a scheduler starts a task, and the request of a task to be queued again.

use super::command::output;
use crate::exit::UsageError;
use crate::machine::{slurm_restarts, unique};
use anyhow::{Context, Result, ensure};
use std::env;
use std::thread;
use std::time::Duration;

/// The variables with the index of a task, and the first index of their schedulers: Slurm, Kubernetes, PBS, Grid
/// Engine.
const INDICES: [(&str, usize); 4] =
    [("SLURM_ARRAY_TASK_ID", 0), ("JOB_COMPLETION_INDEX", 0), ("PBS_ARRAY_INDEX", 0), ("SGE_TASK_ID", 1)];
/// Largest number of times that a task is queued again at its own request.
const MAX_RESTARTS: u32 = 100;
/// Time limit of the request to be queued again.
const LIMIT: Duration = Duration::from_secs(60);
/// How long a task waits for its end after a termination signal.
const WAIT: Duration = Duration::from_secs(600);

/// The index of this task in its array; 0 outside of an array.
///
/// # Errors
/// A variable that is not a number.
pub fn task_number() -> Result<usize, UsageError> {
    for (name, first) in INDICES {
        let Some(text) = env::var(name).ok().filter(|text| !text.is_empty() && text != "undefined") else { continue };
        let number = text.parse::<usize>().ok().and_then(|index| index.checked_sub(first));
        return number.ok_or_else(|| UsageError(format!("{name}: expected an index of an array, found {text}")));
    }
    Ok(0)
}

/// Whether this process is a task that was submitted to Slurm as a job of this name. A task of another scheduler may
/// run within a job of Slurm, which is not ours to requeue.
pub fn is_slurm_task(job_name: &str) -> bool {
    env::var("SLURM_JOB_NAME").is_ok_and(|name| name == job_name)
}

/// Number of CPUs that Slurm has given to this task; none outside of Slurm.
pub fn slurm_cpus() -> Option<usize> {
    let number = |name| env::var(name).ok()?.parse().ok().filter(|cpus| *cpus > 0);
    number("SLURM_CPUS_PER_TASK").or_else(|| number("SLURM_CPUS_ON_NODE"))
}

/// A name for this attempt that no other one has. It starts with the job and the number of restarts under Slurm.
pub fn attempt_name() -> String {
    match env::var("SLURM_JOB_ID") {
        Ok(job) => format!("{job}-{}-{}", slurm_restarts(), unique()),
        Err(_) => unique(),
    }
}

/// Whether an attempt is an earlier one of this task: of the same job of Slurm, before it was started again.
pub fn is_earlier(attempt: &str) -> bool {
    let mut parts = attempt.split('-');
    let (job, restarts) = (parts.next(), parts.next().and_then(|restarts| restarts.parse::<u32>().ok()));
    env::var("SLURM_JOB_ID").is_ok_and(|own| job == Some(own.as_str()))
        && restarts.is_some_and(|n| n < slurm_restarts())
}

/// Asks Slurm to end this task and to start it again.
///
/// # Errors
/// The task was started too often, or Slurm refuses.
pub fn requeue() -> Result<()> {
    let job = env::var("SLURM_JOB_ID").context("this process is not a task of Slurm")?;
    ensure!(slurm_restarts() < MAX_RESTARTS, "the task was started again {MAX_RESTARTS} times; give it more --time");
    // The number of a job may also be that of its array, which would be queued again as a whole.
    let id = match (env::var("SLURM_ARRAY_JOB_ID"), env::var("SLURM_ARRAY_TASK_ID")) {
        (Ok(array), Ok(task)) => format!("{array}_{task}"),
        _ => job,
    };
    output("scontrol", &["requeue".into(), id], LIMIT).map(drop)
}

/// Waits until Slurm ends this process.
pub fn wait_for_end() {
    thread::sleep(WAIT);
}
