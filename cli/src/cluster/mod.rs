//! Runs on a cluster: a plan that is handed to a scheduler, tasks that make its runs, and the states of the runs.
//!
//! The run directories, not the scheduler, determine which runs are finished. Every attempt of a run writes a directory
//! of its own, and a finished one is renamed to the run directory, so that no result depends on locks of a shared file
//! system.

mod arrays;
mod attempt;
mod command;
mod environment;
mod executor;
mod hand_over;
mod job_script;
mod plan;
mod plan_change;
mod plan_entry;
mod round;
mod slurm;
mod states;
mod watch;

pub use attempt::{Attempt, Failure, move_to_attempts, stopped};
pub use environment::{is_slurm_task, requeue, slurm_cpus, task_number, wait_for_end};
pub use executor::Executor;
pub use hand_over::{CLAIM_TIMEOUT, HandOver, HandOverOutcome, check_no_tasks, runs_are};
pub use job_script::{JobScript, write_commands};
pub use plan::Plan;
pub use plan_entry::{PlanEntry, PlanHeader, PlannedWork};
pub use round::{Round, cancel, rounds, submit};
pub use slurm::Slurm;
pub use states::{RunState, States};
pub use watch::{Watched, seconds_left, watch};

use std::path::{Path, PathBuf};

/// The paths of a plan's files below its output directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterDir {
    out: PathBuf,
}

impl ClusterDir {
    /// The files of the plan in an output directory.
    pub fn of(out: &Path) -> Self {
        Self { out: out.into() }
    }

    /// The output directory.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// The plan.
    pub fn plan(&self) -> PathBuf {
        self.out.join("plan.jsonl")
    }

    /// The run directory of a run, or the file with the row of a truth table.
    pub fn published(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }

    /// The directory of a run's attempts.
    pub fn attempts(&self, name: &str) -> PathBuf {
        self.out.join("attempts").join(name)
    }

    /// The job script.
    pub fn job_script(&self) -> PathBuf {
        self.scheduler().join("job.sh")
    }

    /// The list of commands, one per task.
    pub fn commands(&self) -> PathBuf {
        self.scheduler().join("commands.txt")
    }

    /// The claim of a process that makes the plan or collects its results.
    pub fn claim(&self) -> PathBuf {
        self.out.join(".owner")
    }

    /// The directory of job scripts, and of what was submitted.
    pub fn scheduler(&self) -> PathBuf {
        self.out.join("cluster")
    }
}
