//! `nas-train cluster`: the runs of a plan that was handed to a scheduler.

mod merge;
mod status;

use crate::archive;
use crate::args::{ClusterCommand, ClusterCommandArgs};
use crate::cluster::{self, ClusterDir, Plan, RunState, States, rounds, runs_are, submit};
use crate::exit::{ExitStatus, UsageError};
use crate::text::print;
use anyhow::Result;
use std::path::Path;

/// Shows, repeats, ends or merges the runs of a plan.
///
/// # Errors
/// A directory without a plan, a damaged plan, or a scheduler that does not answer.
pub fn cluster(args: &ClusterCommandArgs) -> Result<ExitStatus> {
    match &args.command {
        ClusterCommand::Status { dir, json } => status::status(&read(dir)?, *json),
        ClusterCommand::Retry { dir } => retry(&read(dir)?),
        ClusterCommand::Cancel { dir } => cancel(&read(dir)?),
        ClusterCommand::Merge { dir, data } => merge::merge(&read(dir)?, data),
    }
}

/// The plan in an output directory, or beside a truth table.
fn read(dir: &Path) -> Result<Plan> {
    let is_table = dir.extension().is_some_and(|extension| extension == "csv");
    let dir = if is_table { dir.with_extension("cluster") } else { dir.into() };
    Plan::read(&ClusterDir::of(&std::path::absolute(dir)?))
}

/// Checks that the tasks of a plan were submitted to Slurm.
fn check_submitted(plan: &Plan, remedy: &str) -> Result<()> {
    match rounds(plan)?.is_empty() {
        true => Err(UsageError(format!("{} was not submitted to Slurm: {remedy}", plan.dir.plan().display())).into()),
        false => Ok(()),
    }
}

/// Submits failed and lost runs again, also those with a final exit code: their cause may have been removed.
fn retry(plan: &Plan) -> Result<ExitStatus> {
    check_submitted(plan, "execute the commands of the missing runs again")?;
    let config = merge::cluster_config(plan)?;
    move_unfinished_to_attempts(plan)?;
    let count = submit(plan, &config, |rounds, queue| {
        let is_repeated =
            |_, state: &RunState| matches!(state, RunState::Failed(_) | RunState::Stopped | RunState::Lost);
        Ok(States::read(plan, rounds, queue)?.chosen(is_repeated))
    })?;
    print(&match count {
        0 => "no run is failed, stopped or lost".into(),
        count => format!("{} submitted again", runs_are(count)),
    })?;
    Ok(ExitStatus::Success)
}

/// Makes the runs that this machine has begun since the tasks were cancelled the first attempts of their next tasks.
fn move_unfinished_to_attempts(plan: &Plan) -> Result<()> {
    for name in plan.names()? {
        let dir = plan.dir.published(name);
        if dir.is_dir() && !archive::is_finished(&dir) {
            cluster::move_to_attempts(&plan.dir, name)?;
        }
    }
    Ok(())
}

fn cancel(plan: &Plan) -> Result<ExitStatus> {
    check_submitted(plan, "send SIGTERM to the processes of its commands, which then write checkpoints")?;
    print(&match cluster::cancel(plan)? {
        0 => "no task is pending or running".into(),
        count => format!("tasks that were cancelled: {count}; `nas-train cluster retry` continues their runs"),
    })?;
    Ok(ExitStatus::Success)
}
