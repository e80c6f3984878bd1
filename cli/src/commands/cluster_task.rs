//! `nas-train cluster-task`: the runs of a plan that one task of a cluster makes.

use super::make_run::RunMaker;
use super::truth::{TrainedRow, TrainingCheckpoints, train};
use crate::archive;
use crate::args::ClusterTaskArgs;
use crate::cluster::{
    Attempt, Plan, PlanEntry, PlannedWork, Round, is_slurm_task, requeue, rounds, slurm_cpus, stopped, task_number,
    wait_for_end,
};
use crate::data::LoadedData;
use crate::device::{Device, on_device};
use crate::exit::{ExitStatus, UsageError, chained};
use crate::parallel::in_thread_pool;
use crate::planned_run::{PlannedRun, directory};
use crate::progress::ProgressBars;
use crate::run_kind::RunKind;
use crate::settings::Settings;
use crate::signal;
use crate::text::eprint_line;
use anyhow::{Context, Error, Result};
use nas_core::registry::TrainingDevice;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Number of tasks that may start in the same second; more would read the plan and the data at once.
const STARTS_PER_SECOND: usize = 50;
/// The longest wait before a start, in milliseconds.
const MAX_DELAY: u64 = 30_000;

/// Makes runs of a plan one after another. A run that another task has finished is left out, and a failed one does not
/// stop the others.
///
/// # Errors
/// A plan that is not visible, was changed or is of another version; the error of the first failed run.
pub fn cluster_task(args: &ClusterTaskArgs) -> Result<ExitStatus> {
    let plan = Plan::read_by_task(&std::path::absolute(&args.plan)?, args.plan_sha256.as_deref())?;
    let is_slurm = is_slurm_task(&plan.job_name());
    let cancel = signal::cancel_as_task(is_slurm)?;
    let task = args.task.map_or_else(task_number, Ok)?;
    let first = args.offset.saturating_add(task).saturating_mul(args.runs as usize);
    // An index beyond the plan is an error.
    plan.run(first)?;
    delay(&plan, first, cancel);
    let (mut failed, mut is_interrupted): (Option<Error>, bool) = (None, false);
    for number in first..first.saturating_add(args.runs as usize).min(plan.len()) {
        let run = plan.run(number)?;
        if cancel.load(Ordering::Relaxed) {
            is_interrupted = true;
            // A task whose time is over continues by itself.
            if !signal::must_requeue() {
                stopped(&plan.dir, &run.name);
            }
            continue;
        }
        match make(&plan, &run, args, cancel) {
            Ok(RunOutcome::Finished) => {}
            Ok(RunOutcome::Interrupted) => is_interrupted = true,
            // It is printed at the end.
            Err(error) if failed.is_none() => failed = Some(error),
            Err(error) => eprint_line(&format!("error: {}", chained(&error))),
        }
    }
    match failed {
        _ if is_interrupted && is_slurm => requeue_or_wait(failed),
        Some(error) => Err(error),
        None if is_interrupted => Ok(ExitStatus::Interrupted),
        None => Ok(ExitStatus::Success),
    }
}

/// Spreads the starts of many tasks over time. Tasks that start long after the submission have waited for others, so
/// they do not start at once.
fn delay(plan: &Plan, number: usize, cancel: &AtomicBool) {
    let is_recent = |round: &Round| round.age() < Duration::from_millis(2 * MAX_DELAY);
    let starts_at_once = rounds(plan).is_ok_and(|rounds| rounds.last().is_some_and(is_recent));
    if plan.len() <= STARTS_PER_SECOND || !starts_at_once {
        return;
    }
    let spread = (plan.len() as u64 * 1000 / STARTS_PER_SECOND as u64).min(MAX_DELAY);
    // A multiplicative hash: neighbours start at different times.
    let wait = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) % spread;
    for _ in 0..wait / 100 {
        if cancel.load(Ordering::Relaxed) {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The end of a task of Slurm after a signal: it is queued again if its time is over, and otherwise Slurm ends it.
fn requeue_or_wait(failed: Option<Error>) -> Result<ExitStatus> {
    if signal::must_requeue() {
        if let Some(error) = failed {
            eprint_line(&format!("error: {}", chained(&error)));
        }
        requeue().context(
            "the time of this task is over, and it cannot be queued again; `nas-train cluster retry` continues the run",
        )?;
        eprint_line("the time of this task is over: it is queued again, and its run continues");
        return Ok(ExitStatus::Interrupted);
    }
    if let Some(error) = failed {
        return Err(error);
    }
    // A preempted task that ended by itself could count as complete.
    wait_for_end();
    Ok(ExitStatus::Interrupted)
}

/// How a run ended without an error.
enum RunOutcome {
    /// This attempt or another one has finished it.
    Finished,
    /// A signal came; a checkpoint is left.
    Interrupted,
}

/// Makes one run: in a directory of its own, which is published at the end.
fn make(plan: &Plan, run: &PlanEntry, args: &ClusterTaskArgs, cancel: &AtomicBool) -> Result<RunOutcome> {
    let Some(attempt) = Attempt::start(&plan.dir, &run.name)? else { return Ok(RunOutcome::Finished) };
    // An earlier attempt may have finished, and failed to publish its run.
    let trained = match archive::is_finished(&attempt.dir) {
        true => Ok(Some(Finished::Directory)),
        false => train_in(&attempt, plan, run, args, cancel),
    };
    let finished = trained.and_then(|finished| {
        if matches!(finished, Some(Finished::Directory)) {
            // The mark allows `compare` to replace the directory. A training of `retrain` has none.
            if matches!(run.work, PlannedWork::Directory(RunKind::Retrain(_))) {
                directory::unmark(&attempt.dir)?;
            }
            if args.pack {
                archive::pack(&attempt.dir)?;
            }
        }
        Ok(finished)
    });
    let made = finished.or_else(none_if_interrupted).and_then(|finished| match finished {
        None => Ok(RunOutcome::Interrupted),
        Some(Finished::Row(text)) => attempt.publish_file(&text).map(|()| RunOutcome::Finished),
        Some(Finished::Directory) => attempt.publish().map(|()| RunOutcome::Finished),
    });
    match made {
        Ok(RunOutcome::Interrupted) if !signal::must_requeue() => attempt.stop(),
        Err(error) => {
            let was_superseded = attempt.fail(ExitStatus::of(&error) as u8, &chained(&error));
            return if was_superseded { Ok(RunOutcome::Finished) } else { Err(error.context(run.name.clone())) };
        }
        _ => {}
    }
    made
}

/// Reading the data ends with an error if a signal comes; the run has not begun then.
fn none_if_interrupted(error: Error) -> Result<Option<Finished>> {
    if ExitStatus::of(&error) == ExitStatus::Interrupted { Ok(None) } else { Err(error) }
}

/// What a finished attempt has made.
enum Finished {
    /// The attempt's directory is a run directory.
    Directory,
    /// The text of a file.
    Row(String),
}

fn train_in(
    attempt: &Attempt,
    plan: &Plan,
    run: &PlanEntry,
    args: &ClusterTaskArgs,
    cancel: &AtomicBool,
) -> Result<Option<Finished>> {
    let settings = Settings::of_table(&plan.dir.plan(), run.config.clone())?;
    let bars = ProgressBars::new(args.progress);
    let data = LoadedData::read(&settings, cancel, |line| bars.print_progress(line))?;
    if data.identity != plan.header.data {
        let (old, new) = (&plan.header.data, &data.identity);
        let remedy = "use the same data on all nodes";
        return Err(
            UsageError(format!("the plan was made with the data set {old}, this node has {new}: {remedy}")).into()
        );
    }
    let threads = if settings.config.threads > 0 { settings.config.threads } else { slurm_cpus().unwrap_or(0) };
    let device = Device::of(&settings.config)?;
    let task = RunTask { attempt: &attempt.dir, run, settings, data, bars, args, cancel };
    in_thread_pool(threads, || on_device!(device, |make| task.on(&make()?)))
}

/// A run of a plan with its data.
struct RunTask<'a> {
    attempt: &'a Path,
    run: &'a PlanEntry,
    settings: Settings,
    data: LoadedData,
    bars: ProgressBars,
    args: &'a ClusterTaskArgs,
    cancel: &'a AtomicBool,
}

impl RunTask<'_> {
    fn on<D: TrainingDevice>(&self, device: &D) -> Result<Option<Finished>> {
        let kind = match &self.run.work {
            PlannedWork::Directory(kind) => kind.clone(),
            PlannedWork::Row(arch) => return self.row(arch, device),
        };
        let PlanEntry { label, seed, truth, .. } = self.run.clone();
        let (settings, dir, data) = (self.settings.clone(), self.attempt.into(), self.data.identity.clone());
        let planned = PlannedRun { label, seed, settings, dir, tensorboard: None, data, truth, kind };
        let (dataset, bars, cancel) = (&self.data.dataset, &self.bars, self.cancel);
        let maker = RunMaker { dataset, bars, mode: self.args.progress, is_alone: true, cancel };
        Ok(maker.make(&planned, device)?.then_some(Finished::Directory))
    }

    fn row<D: TrainingDevice>(&self, text: &str, device: &D) -> Result<Option<Finished>> {
        let config = &self.settings.config;
        let mut saved = TrainingCheckpoints::within(self.attempt, config)?;
        let (arch, seed) = (text.to_owned(), self.run.seed);
        let row = train(config, &self.data.dataset, device, &(arch.clone(), seed), &mut saved, self.cancel)?;
        let published = row.map(|row| serde_json::to_string(&TrainedRow { arch, seed, row }));
        Ok(published.transpose()?.map(|text| Finished::Row(text + "\n")))
    }
}
