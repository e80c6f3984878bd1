//! `nas-train compare`: strategies side by side, with everything else equal.
//!
//! A comparison resumes: finished runs in the output directory are kept, missing ones are made.

mod budget;
mod checks;
mod execute;
mod out;
mod place;
mod plan;
mod preflight;
mod results;
mod runs;
mod times;
mod variant;

use crate::args::{Budget, CompareArgs};
use crate::data::LoadedData;
use crate::device::{Device, on_device};
use crate::exit::ExitStatus;
use crate::files;
use crate::parallel::ThreadsPerJob;
use crate::progress::ProgressBars;
use crate::settings::Settings;
use crate::signal::cancel;
use anyhow::{Context, Result};
use budget::lengths;
use nas_core::registry::Target;
use nas_core::trainer::StepCost;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use variant::Variant;

/// Trains the strategies with equal seeds, data and budgets, and writes and prints the comparison.
///
/// # Errors
/// Strategies or settings that cannot be run are refused before anything runs. A failed run is reported; the remaining
/// runs continue, and the program ends with the error of the first failed one.
pub fn compare(args: &CompareArgs) -> Result<ExitStatus> {
    // Loads the plugins, whose strategies the variants may name.
    let seed = Settings::resolve(&args.run)?.config.seed;
    let variants = Variant::list(args)?;
    let settings = variants.iter().map(|v| v.settings(&args.run, seed)).collect::<Result<Vec<_>>>()?;
    checks::check(&variants, &settings)?;
    // A seed that is too large is refused before the first run.
    variants[0].settings(&args.run, seed + u64::from(args.seeds) - 1)?;
    let out = args.run.out.clone().unwrap_or_else(|| PathBuf::from("runs/compare"));
    out::check(&out)?;
    let (cancel, bars) = (cancel()?, ProgressBars::new(args.run.progress));
    let data = LoadedData::read(&settings[0], cancel, |line| bars.print_progress(line))?;
    let job = ComparisonJob { args, variants, settings, data, out, cancel, bars };
    on_device!(Device::parse(&job.settings[0].config.device)?, |make| job.on(&make))
}

/// A comparison whose arguments are checked and whose data set is read.
struct ComparisonJob<'a> {
    args: &'a CompareArgs,
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
    fn on<D: Target>(self, device: MakeDevice<'_, D>) -> Result<ExitStatus> {
        let share = ThreadsPerJob::new(self.args.jobs.into(), self.settings[0].config.threads);
        let Some(preflights) = self.preflight(device)? else { return Ok(ExitStatus::Interrupted) };
        // Another program may have written there while the data were read.
        out::check(&self.out)?;
        files::make_dir(&self.out)?;
        let lock = out::lock_path(&self.out);
        let lock = File::create(&lock).with_context(|| format!("cannot write {}", lock.display()))?;
        files::lock(&lock, &self.out)?;
        let seconds_per_step = match self.args.budget {
            Budget::Time => self.seconds_per_step(share, device)?,
            _ => Some(Vec::new()),
        };
        let Some(seconds_per_step) = seconds_per_step else { return Ok(ExitStatus::Interrupted) };
        let costs: Vec<StepCost> = preflights.iter().map(|preflight| preflight.cost).collect();
        let lengths = lengths(self.args.budget, &self.settings[0].config, &costs, &seconds_per_step);
        let (runs, sequences) = (self.plan_runs(&lengths, &preflights)?, self.plan_sequences());
        let (missing, missing_sequences) = (self.missing(&runs)?, self.missing(&sequences)?);
        if self.interrupted() {
            return Ok(ExitStatus::Interrupted);
        }
        let (count, done) = (runs.len(), runs.len() - missing.len());
        let count = if count == 1 { "1 run".into() } else { format!("{count} runs") };
        self.bars.print_progress(&format!("{count}, {done} of them done; {}", self.out.display()));

        let Some(mut failed) = self.make_runs(share, &missing, device)? else { return Ok(ExitStatus::Interrupted) };
        let Some(sequences) = self.make_sequences(share, &missing_sequences, device)? else {
            return Ok(ExitStatus::Interrupted);
        };
        failed.extend(sequences.failed);
        let comparison = self.collect(&runs, lengths, sequences.notes)?;
        let consequence = match comparison {
            Some(_) => "a run failed; the comparison shows the finished ones",
            None => "no run of the first variant finished, so there is nothing to compare with",
        };
        let compared = comparison.is_some();
        comparison.map_or(Ok(()), |comparison| self.write(comparison))?;
        match failed.into_iter().next() {
            None if compared => Ok(ExitStatus::Success),
            None => Err(anyhow::anyhow!(consequence)),
            Some(error) => Err(error.context(consequence)),
        }
    }
}
