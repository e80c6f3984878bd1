//! `nas-train compare`: strategies side by side, with everything else equal.
//!
//! A comparison resumes: finished runs in the output directory are kept, missing ones are made.

mod budget;
mod checks;
mod cluster;
mod execute;
mod out;
mod plan;
mod preflight;
mod results;
mod times;
mod variant;

use crate::args::{Budget, CompareArgs};
use crate::claim::Claim;
use crate::cluster::{CLAIM_TIMEOUT, ClusterDir, Executor, HandOverOutcome, check_no_tasks};
use crate::comparison::lock_path;
use crate::data::LoadedData;
use crate::device::{Device, on_device};
use crate::exit::{ExitStatus, UsageError};
use crate::files;
use crate::parallel::ThreadsPerJob;
use crate::progress::ProgressBars;
use crate::settings::{Settings, check_effects};
use crate::signal::cancel;
use crate::single_run::REPEAT_TO_CONTINUE;
use crate::text::eprint_line;
use anyhow::{Context, Error, Result};
use budget::lengths;
use nas_core::registry::TrainingDevice;
use nas_core::trainer::RunShape;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use variant::Variant;

/// Trains the strategies with equal seeds, data and budgets, and writes and prints the comparison. `executor` makes the
/// runs; none for the one that the options choose.
///
/// # Errors
/// Strategies or settings that cannot be run are refused before anything runs. A failed run is reported; the remaining
/// runs continue, and the program ends with the error of the first failed one.
pub fn compare(args: &CompareArgs, executor: Option<Executor>) -> Result<ExitStatus> {
    // Loads the plugins, whose strategies the variants may name.
    let common = Settings::resolve(&args.run)?;
    let executor = executor.map_or_else(|| Executor::choose(&args.cluster, &args.run, &common.cluster), Ok)?;
    cluster::check(args, &executor)?;
    executor.check_jobs(args.jobs)?;
    common.seeds(args.seeds)?;
    let variants = Variant::list(args)?;
    let settings = variants.iter().map(|variant| variant.settings(&args.run)).collect::<Result<Vec<_>>>()?;
    check_effects(&settings)?;
    checks::check(&variants, &settings)?;
    let out = args.run.out.clone().unwrap_or_else(|| PathBuf::from("runs/compare"));
    out::check(&out)?;
    let (cancel, bars) = (cancel()?, ProgressBars::new(args.run.progress));
    let data = LoadedData::read(&settings[0], cancel, |line| bars.print_progress(line))?;
    // The machine from which runs are submitted may have no GPU.
    let device = Device::of(&settings[0].config)?;
    let device = if executor == Executor::Local { device } else { Device::Cpu };
    let is_local = executor == Executor::Local;
    let job = ComparisonJob { args, executor, variants, settings, data, out, cancel, bars };
    let status = on_device!(device, |make| job.on(&make))?;
    if is_local && status == ExitStatus::Interrupted {
        eprint_line(REPEAT_TO_CONTINUE);
    }
    Ok(status)
}

/// A comparison whose arguments are checked and whose data set is read.
struct ComparisonJob<'a> {
    args: &'a CompareArgs,
    executor: Executor,
    variants: Vec<Variant>,
    /// One per variant, with the first seed.
    settings: Vec<Settings>,
    data: LoadedData,
    out: PathBuf,
    /// Set by an interrupt signal.
    cancel: &'static AtomicBool,
    bars: ProgressBars,
}

/// Makes a device in the thread that uses it.
type MakeDevice<'a, D> = &'a (dyn Fn() -> Result<D> + Sync);

impl ComparisonJob<'_> {
    fn on<D: TrainingDevice>(self, device: MakeDevice<'_, D>) -> Result<ExitStatus> {
        let threads_per_job = ThreadsPerJob::of(self.args.jobs.unwrap_or(1), &self.settings[0].config)?;
        let Some(preflights) = self.preflight(device)? else { return Ok(ExitStatus::Interrupted) };
        // Another program may have written there while the data were read.
        out::check(&self.out)?;
        files::make_dir(&self.out)?;
        let lock = lock_path(&self.out);
        let lock = File::create(&lock).with_context(|| format!("cannot write {}", lock.display()))?;
        let _claim = match self.executor {
            Executor::Local => {
                files::lock(&lock, &self.out)?;
                let dir = ClusterDir::of(&self.out);
                let claim = Claim::take(&dir.claim(), &self.out)?;
                check_no_tasks(&dir)?;
                Some(claim)
            }
            // Several processes may submit and wait for the same runs.
            Executor::Cluster { .. } | Executor::None => None,
        };
        let seconds_per_step = match self.args.budget {
            Budget::Time => self.seconds_per_step(threads_per_job, device)?,
            _ => Some(Vec::new()),
        };
        let Some(seconds_per_step) = seconds_per_step else { return Ok(ExitStatus::Interrupted) };
        let shapes: Vec<RunShape> = preflights.iter().map(|preflight| preflight.shape).collect();
        let lengths = lengths(self.args.budget, &self.settings[0].config, &shapes, &seconds_per_step);
        let (runs, sequences) = (self.plan_runs(&lengths, &preflights), self.plan_sequences(&preflights));
        let made = match &self.executor {
            Executor::Local => self.make(threads_per_job, &runs, &sequences, device)?,
            Executor::Cluster { config, detach } => {
                match self.hand_over(&[runs.as_slice(), &sequences].concat(), config, *detach)? {
                    HandOverOutcome::Ended(failed) => Some(ExecutionOutcome { failed, no_matrix: BTreeMap::new() }),
                    HandOverOutcome::StillRunning(status) => return Ok(status),
                }
            }
            Executor::None => Some(ExecutionOutcome::default()),
        };
        let Some(ExecutionOutcome { failed, no_matrix }) = made else { return Ok(ExitStatus::Interrupted) };
        let _claim = match self.executor {
            Executor::Local => None,
            _ => Some(Claim::take_within(&ClusterDir::of(&self.out).claim(), &self.out, CLAIM_TIMEOUT)?),
        };
        let comparison = self.collect(&runs, lengths, self.matrix_notes(&preflights, &no_matrix))?;
        let consequence = match comparison {
            Some(_) => "a run failed; the comparison shows the finished ones",
            None => "no run of the first variant finished, so there is nothing to compare with",
        };
        let compared = comparison.is_some();
        comparison.map_or(Ok(()), |comparison| self.write(comparison))?;
        match failed.into_iter().next() {
            None if compared => Ok(ExitStatus::Success),
            None => Err(UsageError(format!("{}: {consequence}", self.out.display())).into()),
            Some(error) => Err(error.context(consequence)),
        }
    }
}

/// The outcome of making the runs of a comparison.
#[derive(Default)]
struct ExecutionOutcome {
    /// The errors of failed runs and sequences.
    failed: Vec<Error>,
    /// Why a variant has no disturbance matrix although its strategy accepts one, by label.
    no_matrix: BTreeMap<String, String>,
}
