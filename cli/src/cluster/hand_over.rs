//! Handing the runs of a command to a scheduler.

use super::attempt::{has_open_attempt, move_to_attempts};
use super::round::is_cancelled;
use super::slurm::{QueuedTask, TaskState};
use super::states::Listings;
use super::{
    ClusterDir, JobScript, Plan, PlanEntry, PlanHeader, Round, RunState, Slurm, States, Watched, rounds, submit, watch,
    write_commands,
};
use crate::claim::Claim;
use crate::data::DataIdentity;
use crate::exit::{ChildFailed, ExitStatus, UsageError, chained};
use crate::files::{self, is_listed, wait_until_visible};
use crate::progress::ProgressDisplay;
use crate::text::{counted, eprint_line, shell_word};
use anyhow::{Error, Result};
use nas_core::config::{ClusterConfig, Scheduler};
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How long to wait for another process that hands over or submits the same runs, or collects their results.
pub const CLAIM_TIMEOUT: Duration = Duration::from_secs(120);

/// The runs of a command, to be handed over.
pub struct HandOver<'a> {
    /// The directory of the plan.
    pub dir: ClusterDir,
    /// All runs, also finished ones: the same command then makes the same plan.
    pub runs: Vec<PlanEntry>,
    /// The identity of the data set.
    pub data: &'a DataIdentity,
    /// The section `[cluster]`.
    pub config: &'a ClusterConfig,
    /// Whether the command ends after the submission.
    pub detach: bool,
    /// Number of threads of a run, 0 for all of a task.
    pub threads: usize,
    /// Whether the existing directory of run number N holds the finished run.
    pub is_done: &'a dyn Fn(usize) -> Result<bool>,
    /// Set by an interrupt signal.
    pub cancel: &'static AtomicBool,
}

/// The outcome of [`HandOver::execute`].
#[derive(Debug)]
pub enum HandOverOutcome {
    /// No task is left: the results can be collected. The errors of failed and lost runs.
    Ended(Vec<Error>),
    /// The command ends, and the runs go on.
    StillRunning(ExitStatus),
}

impl HandOver<'_> {
    /// Writes the plan, submits what is not finished, and waits for the end of all runs.
    ///
    /// # Errors
    /// Files that cannot be written, another plan in the directory, a program that makes the same runs on this machine,
    /// or a scheduler that refuses the tasks.
    pub fn execute(&self, progress: &mut ProgressDisplay) -> Result<HandOverOutcome> {
        let header = PlanHeader::of_this_command(self.runs.len(), self.data)?;
        let script = JobScript::new(self.config, self.threads)?;
        let is_slurm = self.config.scheduler == Scheduler::Slurm;
        if is_slurm {
            // Without Slurm, nothing is written.
            Slurm.array_limit()?;
        }
        files::make_dir(self.dir.out())?;
        let claim = Claim::take_within(&self.dir.claim(), self.dir.out(), CLAIM_TIMEOUT)?;
        // A finished run with other settings is refused before anything is written.
        let unfinished = self.unfinished_here()?;
        let plan = Plan::create(&self.dir, &header, &self.runs, check_idle)?;
        script.write(&plan)?;
        unfinished.into_iter().try_for_each(|run| move_to_attempts(&self.dir, &run.name))?;
        drop(claim);
        if is_slurm { self.slurm(&plan, progress) } else { self.script(&plan) }
    }

    /// The runs that this machine has begun. Their directories become the first attempts of the runs on the cluster.
    fn unfinished_here(&self) -> Result<Vec<&PlanEntry>> {
        let mut listings = Listings::default();
        let mut unfinished = Vec::new();
        for (number, run) in self.runs.iter().enumerate() {
            if listings.has(&self.dir.published(&run.name)) && !(self.is_done)(number)? {
                unfinished.push(run);
            }
        }
        Ok(unfinished)
    }

    fn slurm(&self, plan: &Plan, progress: &mut ProgressDisplay) -> Result<HandOverOutcome> {
        let first = |rounds: &[Round], _: &[QueuedTask]| match rounds {
            [] => Ok(States::unfinished(&plan.dir, plan.names()?)),
            _ => Ok(Vec::new()),
        };
        match submit(plan, self.config, first) {
            Ok(0) => {}
            Ok(count) => {
                progress.print_line(&format!("{} submitted as jobs {}", runs_are(count), plan.job_name()));
            }
            // The tasks that were submitted go on, and the rest is submitted later.
            Err(error) if rounds(plan)?.iter().any(|round| !round.jobs.is_empty()) => {
                progress.print_line(&format!("warning: {}", chained(&error)));
            }
            Err(error) => return Err(error),
        }
        let out = shell_word(&self.dir.out().to_string_lossy());
        if self.detach {
            eprint_line(&format!(
                "the runs continue; `nas-train cluster status {out}` shows them, and `nas-train cluster merge {out}` collects them"
            ));
            return Ok(HandOverOutcome::StillRunning(ExitStatus::Success));
        }
        match watch(plan, self.config, progress, self.cancel)? {
            Watched::Ended(states) => {
                for run in states.chosen(|_, state| *state == RunState::Done) {
                    wait_until_visible(&plan.dir.published(&states.names[run]));
                }
                for problem in states.problems() {
                    progress.print_line(&problem);
                }
                if states.done() == plan.len() {
                    // The output of tasks that succeeded, and directories that are empty now.
                    let _ = fs::remove_dir_all(plan.all_logs());
                    let _ = fs::remove_dir_all(plan.dir.attempts(""));
                }
                Ok(HandOverOutcome::Ended(errors(&states)))
            }
            Watched::Detached => {
                let come_back = "repeat the command to wait for them";
                eprint_line(&format!(
                    "the runs continue; {come_back}, or end them with `nas-train cluster cancel {out}`"
                ));
                Ok(HandOverOutcome::StillRunning(ExitStatus::Interrupted))
            }
        }
    }

    fn script(&self, plan: &Plan) -> Result<HandOverOutcome> {
        let runs_per_task = self.config.runs_per_task;
        write_commands(plan, runs_per_task)?;
        let word = |path: &Path| shell_word(&path.to_string_lossy());
        let (commands, script) = (word(&plan.dir.commands()), word(&plan.dir.job_script()));
        let tasks = plan.len().div_ceil(runs_per_task);
        eprint_line(&format!(
            "{commands} has one command for each of {tasks} tasks; execute all of them, for instance\n  \
             xargs -d '\\n' -P 8 -I{{}} sh -c {{}} < {commands}\nor submit {script} as an array job with the indices 0 to {}: its \
             arguments are `0 {runs_per_task}`.\nThen: nas-train cluster merge {}",
            tasks.saturating_sub(1),
            word(self.dir.out())
        ));
        Ok(HandOverOutcome::StillRunning(ExitStatus::Success))
    }
}

/// `1 run is`, `3 runs are`.
pub fn runs_are(count: usize) -> String {
    format!("{} {}", counted(count, "run"), if count == 1 { "is" } else { "are" })
}

/// Whether an unfinished run has an attempt that has not ended. Commands that are executed without Slurm leave no other
/// trace.
fn has_open_attempts(plan: &Plan) -> Result<bool> {
    let names = plan.names()?;
    Ok(States::unfinished(&plan.dir, names).into_iter().any(|run| has_open_attempt(&plan.dir, &names[run])))
}

/// Checks that no task of a plan is left.
///
/// # Errors
/// Tasks in the queue of Slurm, or attempts that have not ended.
fn check_idle(old: &Plan) -> Result<()> {
    let is_submitted = !rounds(old)?.is_empty();
    let (is_busy, remedy) = match is_submitted {
        true => (
            Slurm.queue(old)?.iter().any(|task| task.state != TaskState::Cancelled),
            "wait for them, end them with `nas-train cluster cancel`, or choose another --out",
        ),
        false => (
            has_open_attempts(old)?,
            "execute its commands to the end, remove the directory `attempts` if none is in progress, or choose another \
             --out",
        ),
    };
    if !is_busy {
        return Ok(());
    }
    let problem = "has a plan with other runs, and its tasks are not finished";
    Err(UsageError(format!("{} {problem}: {remedy}", old.dir.out().display())).into())
}

/// Checks that no run of a directory is made on a cluster, before this machine makes them.
///
/// # Errors
/// The plan of the directory was submitted, and its runs are neither finished nor cancelled.
pub fn check_no_tasks(dir: &ClusterDir) -> Result<()> {
    if !is_listed(&dir.plan()) {
        return Ok(());
    }
    let plan = Plan::read(dir)?;
    let rounds = rounds(&plan)?.len();
    if rounds == 0 && has_open_attempts(&plan)? {
        let problem = "has commands of a plan that are in progress or were killed";
        let remedy = "execute them to the end, or remove the directory `attempts` if none is in progress";
        return Err(UsageError(format!("{} {problem}: {remedy}", dir.out().display())).into());
    }
    if rounds == 0 || is_cancelled(&plan, rounds) || States::unfinished(dir, plan.names()?).is_empty() {
        return Ok(());
    }
    let problem = "has runs on a cluster that are not finished";
    let remedy = "wait for them with --cluster slurm, or end them with `nas-train cluster cancel`";
    Err(UsageError(format!("{} {problem}: {remedy}", dir.out().display())).into())
}

/// The errors of failed, stopped and lost runs.
fn errors(states: &States) -> Vec<Error> {
    let error = |(run, state): (usize, &RunState)| {
        let status = match state {
            RunState::Failed(failure) => ExitStatus::from_code(failure.code.into()).unwrap_or(ExitStatus::Failure),
            RunState::Stopped => ExitStatus::Interrupted,
            RunState::Lost => ExitStatus::Failure,
            RunState::Done | RunState::Running | RunState::Pending => return None,
        };
        Some(ChildFailed { status, message: states.problem(run)? }.into())
    };
    states.states.iter().enumerate().filter_map(error).collect()
}
