//! The commands of Slurm.

use super::Plan;
use super::arrays::{ArrayPart, ranges};
use super::command::output;
use crate::files;
use anyhow::{Context, Result};
use std::time::Duration;

/// Time limit of a query.
const QUERY_TIMEOUT: Duration = Duration::from_secs(30);
/// Time limit of a submission. `sbatch` waits for two minutes where the cluster has too many jobs, and prints so at
/// once.
const SUBMIT_TIMEOUT: Duration = Duration::from_secs(60);
/// The limit of indices where the configuration of Slurm cannot be read; the default of Slurm.
const DEFAULT_MAX_ARRAY_SIZE: usize = 1001;
/// Number of indices in a submission, so that the argument of `sbatch` stays far below the limit of the system.
const MAX_PART: usize = 10_000;

/// The state of a task in the queue of Slurm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskState {
    /// It was cancelled, and Slurm does not start it again.
    Cancelled,
    /// It waits.
    Pending,
    /// It has started.
    Running,
}

/// A task in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedTask {
    /// The job array.
    pub job: u64,
    /// The index in the array.
    pub task: usize,
    /// Its state.
    pub state: TaskState,
    /// Why it is pending.
    pub reason: String,
    /// The comment that the array was submitted with.
    pub comment: String,
}

/// The Slurm of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Slurm;

impl Slurm {
    /// Number of indices of a job array: one more than the largest index.
    ///
    /// # Errors
    /// Slurm is not installed, or its command fails or exceeds its time limit.
    pub fn array_limit(self) -> Result<usize> {
        let config = output("scontrol", &["show".into(), "config".into()], QUERY_TIMEOUT)?;
        let line = config.lines().find_map(|line| line.strip_prefix("MaxArraySize"));
        let limit = line.and_then(|line| line.trim_start_matches([' ', '=']).trim().parse().ok());
        Ok(limit.unwrap_or(DEFAULT_MAX_ARRAY_SIZE).clamp(1, MAX_PART))
    }

    /// Submits a job array and returns its number. `comment` identifies it in the queue.
    ///
    /// # Errors
    /// `sbatch` fails, with its message, or exceeds its time limit.
    pub fn submit(self, plan: &Plan, array: &SubmittedArray<'_>) -> Result<u64> {
        files::make_dir(array.logs)?;
        let limit = array.max_running.map(|limit| format!("%{limit}")).unwrap_or_default();
        let arguments = [
            "--parsable".into(),
            format!("--job-name={}", plan.job_name()),
            format!("--comment={}", array.comment),
            format!("--array={}{limit}", ranges(&array.part.tasks)),
            format!("--output={}/%a.log", array.logs.to_string_lossy().replace('%', "%%")),
            plan.dir.job_script().to_string_lossy().into_owned(),
            array.part.offset.to_string(),
            array.runs_per_task.to_string(),
        ];
        let answer = output("sbatch", &arguments, SUBMIT_TIMEOUT)?;
        // `JOB`, or `JOB;CLUSTER`. Messages of plugins may precede it.
        let job =
            answer.lines().next_back().and_then(|line| line.split(';').next()).and_then(|job| job.trim().parse().ok());
        job.with_context(|| format!("sbatch printed no job number: {}", answer.trim()))
    }

    /// The tasks of a plan in the queue, and those that were cancelled in the last minutes.
    ///
    /// # Errors
    /// The command of Slurm fails or exceeds its time limit.
    pub fn queue(self, plan: &Plan) -> Result<Vec<QueuedTask>> {
        // Without -r, pending tasks of an array are one line. JSON output ignores the selection of jobs.
        let format = "--format=%F|%K|%T|%r|%k";
        let name = format!("--name={}", plan.job_name());
        let states = "--states=all".into();
        let answer = output("squeue", &["-h".into(), "-r".into(), name, states, format.into()], QUERY_TIMEOUT)?;
        Ok(answer.lines().filter_map(queued_task).collect())
    }

    /// Ends all tasks of a plan.
    ///
    /// # Errors
    /// The command of Slurm fails or exceeds its time limit.
    pub fn cancel(self, plan: &Plan) -> Result<()> {
        output("scancel", &[format!("--name={}", plan.job_name())], QUERY_TIMEOUT).map(drop)
    }
}

/// A job array to submit.
#[derive(Debug)]
pub struct SubmittedArray<'a> {
    /// The indices of the array.
    pub part: &'a ArrayPart,
    /// Number of runs of a task.
    pub runs_per_task: usize,
    /// Largest number of tasks that run at the same time.
    pub max_running: Option<usize>,
    /// Identifies the array in the queue.
    pub comment: &'a str,
    /// The directory of the output of the tasks.
    pub logs: &'a std::path::Path,
}

/// The states of `squeue` of a task that has started.
const RUNNING: [&str; 7] = ["RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT"];
/// The states of a task that will start, also again.
const PENDING: [&str; 6] = ["PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"];

/// A line of `squeue`: job array, index, state, reason, comment. None for a task that has ended by itself.
fn queued_task(line: &str) -> Option<QueuedTask> {
    let mut fields = line.splitn(5, '|').map(str::trim);
    let (job, task, state) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?, fields.next()?);
    let state = match state {
        state if RUNNING.contains(&state) => TaskState::Running,
        state if PENDING.contains(&state) => TaskState::Pending,
        "CANCELLED" => TaskState::Cancelled,
        _ => return None,
    };
    let (reason, comment) = (fields.next()?.into(), fields.next().unwrap_or_default().into());
    Some(QueuedTask { job, task, state, reason, comment })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_squeue_are_read() {
        let state = TaskState::Running;
        let task = QueuedTask { job: 5, task: 3, state, reason: "None".into(), comment: "0-1".into() };
        assert_eq!(queued_task("5|3|RUNNING|None|0-1"), Some(task.clone()));
        let with = |state| Some(QueuedTask { state, ..task.clone() });
        assert_eq!(queued_task("5|3|PENDING|None|0-1"), with(TaskState::Pending));
        assert_eq!(queued_task("5|3|CANCELLED|None|0-1"), with(TaskState::Cancelled));
        assert_eq!(queued_task("5|3|COMPLETED|None|0-1"), None);
        assert_eq!(queued_task("5|N/A|RUNNING|None|"), None);
        assert_eq!(queued_task(""), None);
    }
}
