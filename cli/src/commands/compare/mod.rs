//! `nas-train compare`: strategies side by side, everything else equal.

mod budget;
mod checks;
mod comparison;
mod figures;
mod runs;
mod statistics;
mod table;
mod times;
mod variant;

use crate::archive::{Folder, SequenceFolder};
use crate::args::{Budget, CompareArgs};
use crate::exit::{ExitStatus, UsageError, chained};
use crate::files;
use crate::html::Report;
use crate::parallel::{Share, in_order};
use crate::progress::Live;
use crate::run::{Device, cancel, on_device, on_threads};
use crate::settings::Settings;
use crate::text::print;
use anyhow::{Context, Error, Result};
use budget::{Length, lengths};
pub use comparison::Comparison;
pub use figures::{Figure, all as all_figures};
use nas_core::data::Dataset;
use nas_core::registry::Target;
use nas_core::trainer::{RunError, Sequence, Session, StepCost, reset_peak_rss};
use runs::{Planned, cancelled};
pub use statistics::{Group, Row};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
pub use table::{difference as difference_text, is_best, value as value_text};
use times::StepTimes;
use variant::Variant;

/// How long a variant is measured where times are to be equal.
const MEASURED: Duration = Duration::from_secs(3);

/// Runs the strategies with equal seeds, data and budgets, and writes what they have come to.
///
/// # Errors
/// Strategies or settings that cannot be run, before anything runs; whatever stops a run.
pub fn compare(args: &CompareArgs) -> Result<ExitStatus> {
    // Loads plugins, whose strategies the variants may name.
    let seed = Settings::resolve(&args.run)?.config.seed;
    let variants = Variant::list(args)?;
    let settings = variants.iter().map(|v| v.settings(&args.run, seed)).collect::<Result<Vec<_>>>()?;
    checks::check(&variants, &settings)?;
    let out = args.run.out.clone().unwrap_or_else(|| PathBuf::from("runs/compare"));
    if out.join("manifest.json").exists() {
        return Err(UsageError(format!("{} is the directory of a run; choose another --out", out.display())).into());
    }
    let dataset = settings[0].dataset()?;
    let job = Job { args, variants, settings, dataset, out, cancel: cancel()?, live: Live::default() };
    on_device!(Device::parse(&job.settings[0].config.device)?, |make| job.on(&make))
}

/// What a variant turns out to be before anything has run.
struct Trial {
    cost: StepCost,
    /// Hash of the truth table, if its runs are compared with one.
    truth: Option<String>,
}

struct Job<'a> {
    args: &'a CompareArgs,
    variants: Vec<Variant>,
    /// Of each variant, with the first seed.
    settings: Vec<Settings>,
    dataset: Arc<Dataset>,
    out: PathBuf,
    cancel: &'static AtomicBool,
    live: Live,
}

/// What makes a device in the thread that uses it.
type Make<'a, D> = &'a (dyn Fn() -> Result<D> + Sync);

impl Job<'_> {
    fn on<D: Target>(self, device: Make<'_, D>) -> Result<ExitStatus> {
        let share = Share::new(self.args.jobs.into(), self.settings[0].config.threads);
        let trials = self.trials(device)?;
        files::make_dir(&self.out)?;
        let lock = self.out.join(".lock");
        let lock = File::create(&lock).with_context(|| format!("cannot write {}", lock.display()))?;
        files::lock(&lock, &self.out)?;
        let seconds = match self.args.budget {
            Budget::Time => self.seconds(share, device)?,
            _ => Vec::new(),
        };
        let costs: Vec<StepCost> = trials.iter().map(|trial| trial.cost).collect();
        let lengths = lengths(self.args.budget, &self.settings[0].config, &costs, &seconds);
        let (runs, sequences) = (self.plan(&lengths, &trials)?, self.plan_sequences());
        let (missing, missing_sequences) = (self.missing(&runs)?, self.missing(&sequences)?);
        let known = runs.len() - missing.len();
        self.live.say(&format!("{} runs, {known} of them done; {}", runs.len(), self.out.display()));

        let Some(mut failed) = self.make(share, &missing, device)? else { return Ok(ExitStatus::Interrupted) };
        let Some((unmatched, lost)) = self.make_sequences(share, &missing_sequences, device)? else {
            return Ok(ExitStatus::Interrupted);
        };
        failed.extend(lost);
        let comparison = self.collect(&runs, lengths, unmatched)?;
        let consequence = match comparison {
            Some(_) => "a run failed; the comparison shows what came to its end",
            None => "no run of the first variant came to its end, so there is nothing to compare with",
        };
        comparison.map_or(Ok(()), |comparison| self.write(comparison))?;
        match failed.into_iter().next() {
            None => Ok(ExitStatus::Success),
            Some(error) => Err(error.context(consequence)),
        }
    }

    /// Builds every variant as its runs will, so that what cannot be run fails before anything has run.
    fn trials<D: Target>(&self, device: Make<'_, D>) -> Result<Vec<Trial>> {
        let trial = |settings: &Settings| -> Result<Trial> {
            let session = Session::new(&settings.config, self.dataset.clone(), &device()?)?;
            let truth = session.truth_sha256().map(Into::into);
            let trial = Trial { cost: session.step_cost()?, truth };
            if self.args.sequence > 0 {
                match Sequence::new(&settings.config, self.dataset.clone(), &device()?, self.args.sequence) {
                    Ok(_) | Err(RunError::OwnPlans { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(trial)
        };
        let explained = |(variant, settings): (&Variant, &Settings)| {
            let trial = trial(settings).map_err(|error| settings.explain(error));
            trial.with_context(|| format!("--strategies {}", variant.label))
        };
        self.variants.iter().zip(&self.settings).map(explained).collect()
    }

    /// Seconds of a step of each variant.
    fn seconds<D: Target>(&self, share: Share, device: Make<'_, D>) -> Result<Vec<f64>> {
        let mut times = StepTimes::open(self.out.join("step_times.json"))?;
        let mut seconds = Vec::new();
        for (variant, settings) in self.variants.iter().zip(&self.settings) {
            let (label, config) = (&variant.label, &settings.config);
            if let Some(known) = times.get(label, config, share.threads)? {
                seconds.push(known);
                continue;
            }
            let measured = on_threads(share.threads, || {
                let session = Session::new(config, self.dataset.clone(), &device()?)?;
                Ok(session.seconds_per_step(MEASURED)?)
            })?;
            times.add(label, config, share.threads, measured)?;
            seconds.push(measured);
        }
        Ok(seconds)
    }

    /// All runs, the variants of one seed side by side.
    fn plan(&self, lengths: &[Length], trials: &[Trial]) -> Result<Vec<Planned>> {
        let first = self.settings[0].config.seed;
        let mut planned = Vec::new();
        for seed in first..first + u64::from(self.args.seeds) {
            for ((variant, length), trial) in self.variants.iter().zip(lengths).zip(trials) {
                let mut settings = variant.settings(&self.args.run, seed)?;
                length.apply(&mut settings.config);
                let name = format!("{}-s{seed}", variant.slug());
                let dir = self.out.join("runs").join(&name);
                let tensorboard = self.args.run.tensorboard.as_ref().map(|dir| dir.join(name));
                let (label, truth) = (variant.label.clone(), trial.truth.clone());
                planned.push(Planned { label, seed, settings, dir, tensorboard, truth, sequence: None });
            }
        }
        Ok(planned)
    }

    /// The sequence of each variant.
    fn plan_sequences(&self) -> Vec<Planned> {
        let plan = |(variant, settings): (&Variant, &Settings)| {
            let (label, mut settings) = (variant.label.clone(), settings.clone());
            settings.config.train.epochs = self.args.sequence_epochs.into();
            settings.config.train.max_steps = 0;
            let (seed, dir) = (settings.config.seed, self.out.join("sequences").join(variant.slug()));
            let sequence = Some(self.args.sequence);
            Planned { label, seed, settings, dir, tensorboard: None, truth: None, sequence }
        };
        self.variants.iter().zip(&self.settings).filter(|_| self.args.sequence > 0).map(plan).collect()
    }

    fn missing(&self, planned: &[Planned]) -> Result<Vec<Planned>> {
        let mut missing = Vec::new();
        for run in planned {
            if !run.is_done(&self.live)? {
                missing.push(run.clone());
            }
        }
        Ok(missing)
    }

    /// Makes the runs that are missing. Returns the errors of those that failed, which keep no other from being made;
    /// nothing if it was interrupted.
    fn make<D: Target>(&self, share: Share, missing: &[Planned], device: Make<'_, D>) -> Result<Option<Vec<Error>>> {
        let work = |planned: &Planned| {
            if cancelled(self.cancel) {
                return Ok(false);
            }
            let alone = share.jobs == 1 && reset_peak_rss();
            let session = Session::new(&planned.settings.config, self.dataset.clone(), &device()?)?;
            planned.make(&self.live, self.args.run.progress, |observer| {
                let mut result = session.run(observer, self.cancel)?;
                // The memory of several runs at once is nobody's own.
                result.peak_rss_mb = result.peak_rss_mb.filter(|_| alone);
                Ok(result)
            })
        };
        let (mut whole, mut failed) = (true, Vec::new());
        in_order(share, missing, work, |planned, made| {
            let name = format!("{} seed {}", planned.label, planned.seed);
            match made {
                Ok(true) => self.live.say(&format!("{name} is done")),
                Ok(false) => whole = false,
                Err(error) => {
                    self.live.say(&format!("{name} failed: {}", chained(&error)));
                    failed.push(error);
                }
            }
            Ok(())
        })?;
        Ok(whole.then_some(failed))
    }

    /// Makes the sequences that are missing. Returns notes on strategies that cannot train one, and the errors of those
    /// that failed; nothing if it was interrupted.
    fn make_sequences<D: Target>(
        &self,
        share: Share,
        missing: &[Planned],
        device: Make<'_, D>,
    ) -> Result<Option<(Vec<String>, Vec<Error>)>> {
        let work = |planned: &Planned| {
            if cancelled(self.cancel) {
                return Ok((false, None));
            }
            let config = &planned.settings.config;
            let sequence = match Sequence::new(config, self.dataset.clone(), &device()?, self.args.sequence) {
                Err(RunError::OwnPlans { .. }) => {
                    let note =
                        format!("{}: no disturbance matrix, it trains architectures of its own choice.", planned.label);
                    return Ok((true, Some(note)));
                }
                sequence => sequence?,
            };
            let made = planned.make(&self.live, self.args.run.progress, |observer| sequence.run(observer, self.cancel));
            made.map(|whole| (whole, None))
        };
        let (mut whole, mut notes, mut failed) = (true, Vec::new(), Vec::new());
        in_order(share, missing, work, |planned, made| {
            match made {
                Ok((done, note)) => {
                    whole &= done;
                    notes.extend(note);
                }
                Err(error) => {
                    notes.push(format!("{}: no disturbance matrix: {}", planned.label, chained(&error)));
                    failed.push(error);
                }
            }
            Ok(())
        })?;
        Ok(whole.then_some((notes, failed)))
    }

    /// Reads back all runs that came to their end and computes what the files and tables show; nothing without a run of
    /// the first variant.
    fn collect(&self, planned: &[Planned], lengths: Vec<Length>, unmatched: Vec<String>) -> Result<Option<Comparison>> {
        let (mut groups, mut shown, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for (variant, length) in self.variants.iter().zip(&lengths) {
            let mut runs = Vec::new();
            for planned in planned.iter().filter(|planned| planned.label == variant.label) {
                match Folder::read(&planned.dir) {
                    Ok(Folder::Run(run)) => runs.push(*run),
                    Ok(Folder::Sequence(_)) => {}
                    Err(error) => notes.push(format!("{} with seed {}: {error}", planned.label, planned.seed)),
                }
            }
            if !runs.is_empty() {
                groups.push(Group { label: variant.label.clone(), runs });
                shown.push(length.clone());
            }
        }
        if groups.first().is_none_or(|group| group.label != self.variants[0].label) {
            return Ok(None);
        }
        for (group, length) in groups.iter().zip(&shown) {
            notes.extend(length.notes(&group.label, &lengths[0], self.settings[0].config.probes.count > 0));
            let found = group.runs.iter().map(|run| run.result.subnet_passes);
            if let Some(other) = found.into_iter().find(|passes| *passes != length.passes) {
                notes.push(format!("{}: planned {} passes, a run made {other}", group.label, length.passes));
            }
        }
        notes.extend(unmatched);
        let budget = format!("{:?}", self.args.budget).to_lowercase();
        Ok(Some(Comparison::new(groups, shown, budget, notes)))
    }

    /// Writes the files and the report, and prints the tables.
    fn write(&self, mut comparison: Comparison) -> Result<()> {
        let sequences = self.matrices();
        let name = |(label, folder): &(String, SequenceFolder)| {
            Some((label.clone(), folder.path.file_name()?.to_string_lossy().into_owned()))
        };
        comparison.sequences = sequences.iter().filter_map(name).collect();
        comparison.write(&self.out)?;
        Report { comparison: &comparison, sequences, problems: Vec::new() }.write(&self.out)?;
        self.show(&comparison)
    }

    /// The sequences that could be made.
    fn matrices(&self) -> Vec<(String, SequenceFolder)> {
        let read = |variant: &Variant| match Folder::read(&self.out.join("sequences").join(variant.slug())) {
            Ok(Folder::Sequence(folder)) => Some((variant.label.clone(), *folder)),
            _ => None,
        };
        self.variants.iter().filter(|_| self.args.sequence > 0).filter_map(read).collect()
    }

    fn show(&self, comparison: &Comparison) -> Result<()> {
        if !self.args.run.json {
            return print(&table::show(comparison, &self.out));
        }
        for group in &comparison.groups {
            for run in &group.runs {
                let mut line = serde_json::to_value(&run.result)?;
                line["variant"] = group.label.clone().into();
                print(&line.to_string())?;
            }
        }
        print(&comparison.json().to_string())
    }
}
