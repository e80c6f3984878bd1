//! `nas-train compare`: strategies side by side, everything else equal.

mod budget;
mod figures;
mod files;
mod runs;
mod statistics;
mod table;
mod variant;

use crate::archive::{Folder, SequenceFolder};
use crate::args::{Budget, CompareArgs};
use crate::exit::{ExitStatus, UsageError};
use crate::html::Report;
use crate::parallel::{Share, in_order};
use crate::progress::Live;
use crate::run::{Device, cancel, on_device};
use crate::settings::Settings;
use crate::text::print;
use anyhow::{Context, Result};
use budget::{Length, lengths};
pub use figures::{Figure, all as all_figures};
pub use files::Comparison;
use nas_core::config::RunConfig;
use nas_core::data::Dataset;
use nas_core::registry::Target;
use nas_core::trainer::{RunError, Sequence, Session, StepCost, reset_peak_rss};
use runs::{Planned, cancelled};
pub use statistics::{Group, Row};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
pub use table::{difference as difference_text, is_best, value as value_text};
use variant::Variant;

/// How long a variant is measured where times are to be equal.
const MEASURED: Duration = Duration::from_secs(3);

/// Runs the strategies with equal seeds, data and budgets, and writes what they have come to.
///
/// # Errors
/// Strategies or settings that cannot be run, before anything runs; whatever stops a run.
pub fn compare(args: &CompareArgs) -> Result<ExitStatus> {
    if args.run.strategy.is_some() {
        return Err(UsageError("compare takes its strategies from --strategies, not --strategy".into()).into());
    }
    // Loads plugins, whose strategies the variants may name.
    Settings::resolve(&args.run)?;
    let variants = Variant::list(args)?;
    let seed = args.run.seed.and_then(|seed| u64::try_from(seed).ok());
    let settings = variants.iter().map(|v| v.settings(&args.run, seed.unwrap_or(0))).collect::<Result<Vec<_>>>()?;
    check_same_data(&variants, &settings)?;
    check_distinct(&variants, &settings)?;
    let dataset = settings[0].dataset()?;
    let out = args.run.out.clone().unwrap_or_else(|| PathBuf::from("runs/compare"));
    let job = Job { args, variants, settings, dataset, out, cancel: cancel()?, live: Live::default() };
    on_device!(Device::parse(&job.settings[0].config.device)?, |make| job.on(&make))
}

/// One data set serves all runs.
fn check_same_data(variants: &[Variant], settings: &[Settings]) -> Result<()> {
    let of = |config: &RunConfig| (config.data.clone(), config.space.name.clone());
    let first = of(&settings[0].config);
    match settings.iter().position(|settings| of(&settings.config) != first) {
        None => Ok(()),
        Some(other) => Err(UsageError(format!(
            "--strategies {}: the data and the space must be the same in all runs; leave out data.* and space.*",
            variants[other].label
        ))
        .into()),
    }
}

fn check_distinct(variants: &[Variant], settings: &[Settings]) -> Result<()> {
    for (i, a) in settings.iter().enumerate() {
        if let Some(j) = settings[..i].iter().position(|b| b.config == a.config) {
            let (old, new) = (&variants[j].label, &variants[i].label);
            let problem = format!("--strategies: {new} and {old} have the same settings; remove one of them");
            return Err(UsageError(problem).into());
        }
    }
    Ok(())
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
        let costs = self.costs(device)?;
        let seconds = match self.args.budget {
            Budget::Time => self.seconds(share, device)?,
            _ => Vec::new(),
        };
        let lengths = lengths(self.args.budget, &self.settings[0].config, &costs, &seconds);
        let planned = self.plan(&lengths)?;
        let mut missing = Vec::new();
        for run in &planned {
            if !run.is_done()? {
                missing.push(run.clone());
            }
        }
        make_dir(&self.out)?;
        let known = planned.len() - missing.len();
        self.live.say(&format!("{} runs, {known} of them done; {}", planned.len(), self.out.display()));
        let whole = self.make(share, &missing, device)?;
        let unmatched = if whole { self.sequences(share, device)? } else { Some(Vec::new()) };
        let (true, Some(unmatched)) = (whole, unmatched) else { return Ok(ExitStatus::Interrupted) };
        let mut comparison = self.collect(&planned, lengths, unmatched)?;
        let (sequences, problems) = (self.matrices(), Vec::new());
        let name = |(label, folder): &(String, SequenceFolder)| {
            Some((label.clone(), folder.path.file_name()?.to_string_lossy().into_owned()))
        };
        comparison.sequences = sequences.iter().filter_map(name).collect();
        comparison.write(&self.out)?;
        Report { comparison: &comparison, sequences, problems }.write(&self.out)?;
        self.show(&comparison)?;
        Ok(ExitStatus::Success)
    }

    /// Builds every variant as its runs will, so that what cannot be run fails before anything has run.
    fn costs<D: Target>(&self, device: Make<'_, D>) -> Result<Vec<StepCost>> {
        let cost = |settings: &Settings| -> Result<StepCost> {
            Ok(Session::new(&settings.config, self.dataset.clone(), &device()?)?.step_cost()?)
        };
        let explained = |(variant, settings): (&Variant, &Settings)| {
            let cost = cost(settings).map_err(|error| settings.explain(error));
            cost.with_context(|| format!("--strategies {}", variant.label))
        };
        self.variants.iter().zip(&self.settings).map(explained).collect()
    }

    /// Seconds of a step of each variant; measured once, so that a comparison goes on with the same lengths.
    fn seconds<D: Target>(&self, share: Share, device: Make<'_, D>) -> Result<Vec<f64>> {
        let path = self.out.join("step_times.json");
        let mut known: BTreeMap<String, f64> = match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?,
            Err(_) => BTreeMap::new(),
        };
        let unknown: Vec<(&Variant, &Settings)> =
            self.variants.iter().zip(&self.settings).filter(|(v, _)| !known.contains_key(&v.label)).collect();
        let work = |(_, settings): &(&Variant, &Settings)| {
            let session = Session::new(&settings.config, self.dataset.clone(), &device()?)?;
            Ok(session.seconds_per_step(MEASURED)?)
        };
        in_order(Share { jobs: 1, ..share }, &unknown, work, |(variant, _), seconds| {
            known.insert(variant.label.clone(), seconds);
            Ok(())
        })?;
        make_dir(&self.out)?;
        fs::write(&path, serde_json::to_string_pretty(&known)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(self.variants.iter().map(|variant| known[&variant.label]).collect())
    }

    /// All runs, the variants of one seed side by side.
    fn plan(&self, lengths: &[Length]) -> Result<Vec<Planned>> {
        let first = self.settings[0].config.seed;
        let mut planned = Vec::new();
        for seed in first..first + u64::from(self.args.seeds) {
            for (variant, length) in self.variants.iter().zip(lengths) {
                let mut settings = variant.settings(&self.args.run, seed)?;
                length.apply(&mut settings.config);
                let name = format!("{}-s{seed}", variant.slug());
                let dir = self.out.join("runs").join(&name);
                let tensorboard = self.args.run.tensorboard.as_ref().map(|dir| dir.join(name));
                planned.push(Planned { label: variant.label.clone(), seed, settings, dir, tensorboard });
            }
        }
        Ok(planned)
    }

    /// Makes the runs that are missing; false if that was interrupted.
    fn make<D: Target>(&self, share: Share, missing: &[Planned], device: Make<'_, D>) -> Result<bool> {
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
        let mut whole = true;
        in_order(share, missing, work, |planned, done| {
            whole &= done;
            if done {
                self.live.say(&format!("{} seed {} is done", planned.label, planned.seed));
            }
            Ok(())
        })?;
        Ok(whole)
    }

    /// Makes the sequence of each variant. Returns the notes on strategies that cannot train one; nothing if it was
    /// interrupted.
    fn sequences<D: Target>(&self, share: Share, device: Make<'_, D>) -> Result<Option<Vec<String>>> {
        let mut planned = Vec::new();
        for (variant, settings) in self.variants.iter().zip(&self.settings).filter(|_| self.args.sequence > 0) {
            let mut settings = settings.clone();
            settings.config.train.epochs = self.args.sequence_epochs.into();
            settings.config.train.max_steps = 0;
            let dir = self.out.join("sequences").join(variant.slug());
            let run =
                Planned { label: variant.label.clone(), seed: settings.config.seed, settings, dir, tensorboard: None };
            if !run.is_done()? {
                planned.push(run);
            }
        }
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
        let (mut whole, mut notes) = (true, Vec::new());
        in_order(share, &planned, work, |_, (done, note)| {
            whole &= done;
            notes.extend(note);
            Ok(())
        })?;
        Ok(whole.then_some(notes))
    }

    /// Reads all runs back and computes what the files and tables show.
    fn collect(&self, planned: &[Planned], lengths: Vec<Length>, unmatched: Vec<String>) -> Result<Comparison> {
        let mut groups = Vec::new();
        for variant in &self.variants {
            let mut runs = Vec::new();
            for planned in planned.iter().filter(|planned| planned.label == variant.label) {
                if let Folder::Run(run) = Folder::read(&planned.dir).context(planned.dir.display().to_string())? {
                    runs.push(*run);
                }
            }
            groups.push(Group { label: variant.label.clone(), runs });
        }
        let mut notes = Vec::new();
        for (variant, length) in self.variants.iter().zip(&lengths) {
            notes.extend(length.note(&variant.label, &lengths[0]));
        }
        for (group, length) in groups.iter().zip(&lengths) {
            let found = group.runs.iter().map(|run| run.result.subnet_passes);
            if let Some(other) = found.into_iter().find(|passes| *passes != length.passes) {
                notes.push(format!("{}: planned {} passes, a run made {other}", group.label, length.passes));
            }
        }
        notes.extend(unmatched);
        let budget = format!("{:?}", self.args.budget).to_lowercase();
        Ok(Comparison::new(groups, lengths, budget, notes))
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

fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make {}; choose another --out", path.display()))
}
