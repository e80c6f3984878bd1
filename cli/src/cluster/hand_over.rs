//! Handing the runs of a command to a scheduler.

use super::{
    ClusterDir, JobScript, Plan, PlanHeader, RunPlan, RunState, Slurm, States, Watched, submit, watch, write_commands,
};
use crate::data::DataIdentity;
use crate::exit::{ChildFailed, ExitStatus, UsageError};
use crate::progress::ProgressDisplay;
use crate::text::eprint_line;
use anyhow::{Error, Result};
use nas_core::config::{ClusterConfig, Scheduler};
use std::sync::atomic::AtomicBool;

/// Where the runs of a command are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunPlace {
    /// In this process.
    Here,
    /// On a cluster. The command waits for them unless it detaches.
    Cluster {
        /// The section `[cluster]`.
        config: ClusterConfig,
        /// Whether the command ends after the submission.
        detach: bool,
    },
    /// Nowhere: only the results of finished runs are collected.
    Merge,
}

impl RunPlace {
    /// The place that options and configuration choose.
    ///
    /// # Errors
    /// An option that needs a scheduler, without one.
    pub fn choose(args: &crate::args::ClusterArgs, config: &ClusterConfig) -> Result<Self, UsageError> {
        let config = args.over(config);
        match (config.scheduler, args.first_given()) {
            (Scheduler::None, Some(option)) => Err(UsageError(format!(
                "--{option} has an effect with --cluster only: add --cluster slurm, or leave it out"
            ))),
            (Scheduler::None, None) => Ok(Self::Here),
            _ => Ok(Self::Cluster { config, detach: args.detach }),
        }
    }
}

/// The runs of a command, to be handed over.
#[derive(Debug)]
pub struct HandOver<'a> {
    /// The directory of the plan.
    pub dir: ClusterDir,
    /// All runs, also finished ones: the same command then makes the same plan.
    pub runs: Vec<RunPlan>,
    /// The identity of the data set.
    pub data: &'a DataIdentity,
    /// The section `[cluster]`.
    pub config: &'a ClusterConfig,
    /// Whether the command ends after the submission.
    pub detach: bool,
    /// Number of threads of a run, 0 for all of a task.
    pub threads: usize,
    /// Set by an interrupt signal.
    pub cancel: &'static AtomicBool,
}

/// How the runs were left.
#[derive(Debug)]
pub enum Handed {
    /// No task is left: the results can be collected. The errors of failed and lost runs.
    Ended(Vec<Error>),
    /// The command ends, and the runs go on.
    GoOn(ExitStatus),
}

impl HandOver<'_> {
    /// Writes the plan, submits what is not finished, and waits for the end of all runs.
    ///
    /// # Errors
    /// Files that cannot be written, another plan in the directory, or a scheduler that refuses the tasks.
    pub fn execute(&self, progress: &mut ProgressDisplay) -> Result<Handed> {
        let header = PlanHeader::of_this_command(self.runs.len(), self.data)?;
        let script = JobScript::new(self.config, self.threads)?;
        match self.config.scheduler {
            Scheduler::Slurm => {
                // Without Slurm, nothing is written.
                Slurm.array_limit()?;
                let plan = Plan::create(&self.dir, &header, &self.runs, |old| Ok(Slurm.queue(old)?.is_empty()))?;
                script.write(&plan)?;
                self.slurm(&plan, progress)
            }
            Scheduler::Script | Scheduler::None => {
                let is_idle = |old: &Plan| {
                    let has_started = self.dir.attempts("").exists();
                    Ok(!has_started || States::unfinished(&self.dir, &old.names()?).is_empty())
                };
                let plan = Plan::create(&self.dir, &header, &self.runs, is_idle)?;
                script.write(&plan)?;
                self.script(&plan)
            }
        }
    }

    fn slurm(&self, plan: &Plan, progress: &mut ProgressDisplay) -> Result<Handed> {
        let out = self.dir.out().display();
        let count = submit(plan, self.config, |rounds, _| match rounds {
            [] => Ok(States::unfinished(&plan.dir, &plan.names()?)),
            _ => Ok(Vec::new()),
        })?;
        if count > 0 {
            progress.print_line(&format!("{count} runs are submitted as jobs {}", plan.job_name()));
        }
        if self.detach {
            eprint_line(&format!(
                "the runs go on; `nas-train cluster status {out}` shows them, and `nas-train cluster merge {out}` collects them"
            ));
            return Ok(Handed::GoOn(ExitStatus::Success));
        }
        match watch(plan, self.config, progress, self.cancel)? {
            Watched::Ended(states) => Ok(Handed::Ended(errors(&states))),
            Watched::Detached => {
                let come_back = "repeat the command to wait for them";
                eprint_line(&format!("the runs go on; {come_back}, or end them with `nas-train cluster cancel {out}`"));
                Ok(Handed::GoOn(ExitStatus::Interrupted))
            }
        }
    }

    fn script(&self, plan: &Plan) -> Result<Handed> {
        let runs_per_task = self.config.runs_per_task;
        write_commands(plan, runs_per_task)?;
        let (commands, script) = (plan.dir.commands(), plan.dir.job_script());
        let last = plan.len().div_ceil(runs_per_task).saturating_sub(1);
        eprint_line(&format!(
            "{} has one command for each of {} tasks; execute all of them, for instance\n  xargs -d '\\n' -P 8 -I{{}} sh -c {{}} < {}\nor \
             submit {} as an array job with the indices 0 to {last}: its arguments are `0 {runs_per_task}`.\nThen: nas-train cluster merge {}",
            commands.display(),
            last + 1,
            commands.display(),
            script.display(),
            self.dir.out().display()
        ));
        Ok(Handed::GoOn(ExitStatus::Success))
    }
}

/// The errors of failed and lost runs.
fn errors(states: &States) -> Vec<Error> {
    let codes = states.states.iter().filter_map(|state| match state {
        RunState::Failed(failure) => Some(ExitStatus::from_code(failure.code.into()).unwrap_or(ExitStatus::Failure)),
        RunState::Stopped => Some(ExitStatus::Interrupted),
        RunState::Lost => Some(ExitStatus::Failure),
        RunState::Done | RunState::Running | RunState::Pending => None,
    });
    let failed = codes.zip(states.problems()).map(|(status, message)| ChildFailed { status, message }.into());
    failed.collect()
}
