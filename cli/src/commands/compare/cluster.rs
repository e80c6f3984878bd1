//! A comparison whose runs are made on a cluster.

use super::ComparisonJob;
use crate::args::{Budget, CompareArgs};
use crate::cluster::{ClusterDir, Executor, HandOver, HandOverOutcome, PlanEntry, PlannedWork};
use crate::exit::UsageError;
use crate::planned_run::PlannedRun;
use crate::progress::ProgressDisplay;
use anyhow::Result;
use nas_core::config::ClusterConfig;

/// Refuses options that a comparison on a cluster cannot obey.
///
/// # Errors
/// The message has the remedy.
pub fn check(args: &CompareArgs, executor: &Executor) -> Result<(), UsageError> {
    if *executor == Executor::Local {
        return Ok(());
    }
    if args.budget == Budget::Time {
        let problem = "the times of a step would be those of this machine, not of the nodes";
        return Err(UsageError(format!(
            "--budget time is not possible with --cluster: {problem}; use passes or steps"
        )));
    }
    Ok(())
}

impl ComparisonJob<'_> {
    /// Hands the runs to a scheduler and waits for them.
    pub(super) fn hand_over(
        &self,
        planned: &[PlannedRun],
        config: &ClusterConfig,
        detach: bool,
    ) -> Result<HandOverOutcome> {
        // The tasks run in other directories.
        let out = std::path::absolute(&self.out)?;
        let dir = ClusterDir::of(&out);
        let name =
            |run: &PlannedRun| run.dir.strip_prefix(&self.out).unwrap_or(&run.dir).to_string_lossy().into_owned();
        let runs = planned.iter().map(|run| plan_of(run, name(run))).collect::<Result<_>>()?;
        let hand_over = HandOver {
            dir,
            runs,
            is_done: &|number| planned[number].is_done(&self.bars),
            data: &self.data.identity,
            config,
            detach,
            threads: self.settings[0].config.threads,
            cancel: self.cancel,
        };
        hand_over.execute(&mut ProgressDisplay::new(self.args.run.progress))
    }
}

fn plan_of(run: &PlannedRun, name: String) -> Result<PlanEntry> {
    let work = PlannedWork::Directory(run.kind.clone());
    PlanEntry::new(name, run.label.clone(), work, run.truth.clone(), &run.settings.config)
}
