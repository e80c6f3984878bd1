//! A comparison whose runs are made on a cluster.

use super::ComparisonJob;
use super::execute::no_matrix;
use super::preflight::Preflight;
use crate::args::{Budget, CompareArgs};
use crate::cluster::{ClusterDir, HandOver, Handed, PlannedWork, RunPlace, RunPlan};
use crate::exit::UsageError;
use crate::planned_run::PlannedRun;
use crate::progress::ProgressDisplay;
use crate::run_kind::RunKind;
use anyhow::Result;
use nas_core::config::ClusterConfig;

/// Refuses options that a comparison on a cluster cannot obey.
///
/// # Errors
/// The message has the remedy.
pub fn check(args: &CompareArgs, place: &RunPlace) -> Result<(), UsageError> {
    if *place == RunPlace::Here {
        return Ok(());
    }
    if args.run.tensorboard.is_some() {
        let remedy = "leave it out, and use `nas-train export RUN --tensorboard DIR` for finished runs";
        return Err(UsageError(format!("--tensorboard has no effect with --cluster: {remedy}")));
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
    pub(super) fn hand_over(&self, planned: &[PlannedRun], config: &ClusterConfig, detach: bool) -> Result<Handed> {
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

    /// The sequences of the variants whose strategies train given architectures.
    pub(super) fn accepted(sequences: &[PlannedRun], preflights: &[Preflight]) -> Vec<PlannedRun> {
        let accepted = sequences.iter().zip(preflights).filter(|(_, preflight)| preflight.accepts_sequence);
        accepted.map(|(sequence, _)| sequence.clone()).collect()
    }

    /// The remarks for the other variants.
    pub(super) fn refused(&self, preflights: &[Preflight]) -> Vec<String> {
        let all = self.variants.iter().zip(preflights).filter(|_| self.args.sequence > 0);
        all.filter(|(_, preflight)| !preflight.accepts_sequence).map(|(variant, _)| no_matrix(&variant.label)).collect()
    }
}

fn plan_of(run: &PlannedRun, name: String) -> Result<RunPlan> {
    let work = match &run.kind {
        RunKind::Search => PlannedWork::Search,
        RunKind::Sequence(architectures) => PlannedWork::Sequence { architectures: *architectures },
        RunKind::Retrain(arch) => PlannedWork::Retrain { arch: arch.clone() },
    };
    RunPlan::new(name, run.label.clone(), work, run.truth.clone(), &run.settings.config)
}
