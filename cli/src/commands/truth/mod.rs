//! `nas-train truth`: a table of stand-alone accuracies.

mod cluster;
mod file;
mod rows;
mod saved;
mod summary;
mod table_settings;
mod training;
mod use_options;

pub use cluster::TrainedRow;
pub use saved::TrainingCheckpoints;
pub use training::train;

use crate::args::TruthArgs;
use crate::cluster::{CLAIM_TIMEOUT, Executor, HandOver, HandOverOutcome};
use crate::data::{DataIdentity, LoadedData};
use crate::device::{Device, on_device};
use crate::exit::{ExitStatus, UsageError};
use crate::parallel::{ThreadsPerJob, ordered_parallel_map};
use crate::progress::ProgressDisplay;
use crate::settings::{Settings, check_effects};
use crate::signal::cancel;
use crate::text::{eprint_line, print};
use anyhow::{Error, Result};
use dfdx::tensor::Cpu;
use file::TruthFile;
use nas_core::config::{ClusterConfig, RetrainConfig, RunConfig, TrainImages, TruthSamples};
use nas_core::data::Dataset;
use nas_core::registry::TrainingDevice;
use nas_core::trainer::StandAloneTrainer;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use table_settings::table_settings;
use toml::Table;

/// Trains architectures stand-alone, each with several seeds, and appends their accuracies to a CSV file. `executor`
/// trains them; none for the one that the options choose.
///
/// # Errors
/// Invalid options, a table that was made with other settings, or diverged training.
pub fn truth(args: &TruthArgs, executor: Option<Executor>) -> Result<ExitStatus> {
    let mut settings = Settings::resolve_stand_alone(None, None, &args.run, &[])?;
    check_effects(slice::from_ref(&settings))?;
    let executor = executor.map_or_else(|| Executor::choose(&args.cluster, &args.run, &settings.cluster), Ok)?;
    executor.check_jobs(args.jobs)?;
    let path = args.run.out.as_deref().filter(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")));
    let path = path.ok_or_else(|| {
        UsageError("`truth` requires --out FILE.csv, the table to create or resume; its name must end with .csv".into())
    })?;
    let seeds = settings.seeds(args.seeds)?;
    let (cancel, mut progress) = (cancel()?, ProgressDisplay::new(args.run.progress));
    let LoadedData { dataset, identity } = LoadedData::read(&settings, cancel, |line| progress.print_line(line))?;
    // A truth table ranks architectures: the settings are those of `[train]` alone, on the training images of a
    // supernet.
    settings.config.retrain = RetrainConfig { images: TrainImages::Split, eval_every: 0, ..RetrainConfig::default() };
    // The settings beside the table thus name the data.
    settings.config.data.fingerprint = Some(identity.fingerprint.clone());
    let job = TableJob { args, path, dataset, config: &settings.config, seeds, cancel };
    let device = Device::of(&settings.config)?;
    let done = match &executor {
        Executor::Local => on_device!(device, |make| job.here(make)),
        // The machine from which trainings are submitted may have no GPU.
        Executor::Cluster { config, detach } => job.on_cluster(&identity, config, *detach),
        Executor::None => job.merge(Vec::new()),
    };
    done.map_err(|error| settings.explain(error))
}

/// The trainings of one truth table.
struct TableJob<'a> {
    args: &'a TruthArgs,
    path: &'a Path,
    dataset: Arc<Dataset>,
    config: &'a RunConfig,
    /// The seeds of the trainings of each architecture.
    seeds: Range<u64>,
    cancel: &'static AtomicBool,
}

/// A training of the table: the architecture and the seed.
type Item = (String, u64);

impl TableJob<'_> {
    /// All trainings of the table, in its order.
    fn items<D: TrainingDevice>(&self, trainer: &StandAloneTrainer<D>) -> Result<Vec<Item>> {
        let samples = TruthSamples::parse(&self.args.samples).map_err(UsageError)?;
        let archs = trainer.sample(samples)?;
        let with_seeds = |arch| self.seeds.clone().map(move |seed| (trainer.space().format(arch), seed));
        Ok(archs.iter().flat_map(with_seeds).collect())
    }

    fn settings<D: TrainingDevice>(&self, trainer: &StandAloneTrainer<D>) -> Result<Table> {
        table_settings(self.config, trainer.space().scale())
    }

    fn open<D: TrainingDevice>(&self, trainer: &StandAloneTrainer<D>, timeout: Duration) -> Result<TruthFile> {
        TruthFile::open(self.path, &self.settings(trainer)?, &**trainer.space(), timeout)
    }

    fn here<D: TrainingDevice>(&self, device: impl Fn() -> Result<D> + Sync) -> Result<ExitStatus> {
        let trainer = StandAloneTrainer::new(self.config, self.dataset.clone(), &device()?)?;
        let mut items = self.items(&trainer)?;
        let total = items.len();
        let mut file = self.open(&trainer, Duration::ZERO)?;
        items.retain(|(text, seed)| !file.holds(text, *seed));
        let mut progress = ProgressDisplay::new(self.args.run.progress);
        let threads = ThreadsPerJob::of(self.args.jobs.unwrap_or(0), self.config)?;
        let known = total - items.len();
        let saved = |(text, seed): &Item| TrainingCheckpoints::of(self.path, text, *seed, self.config);
        let mut in_part = 0;
        for item in &items {
            in_part += usize::from(saved(item)?.exists());
        }
        progress.print_line(&format!(
            "{total} trainings, {known} of them done before{}, {} in parallel; writing to {}",
            if in_part > 0 { format!(" and {in_part} in part") } else { String::new() },
            threads.jobs,
            self.path.display()
        ));
        let (started, mut count) = (Instant::now(), 0);
        let work = |item: &Item| {
            // Building a trainer takes time, and many items may be left.
            if self.cancel.load(Ordering::Relaxed) {
                return Ok(Ok(None));
            }
            let mut saved = saved(item)?;
            let row = train(self.config, &self.dataset, &device()?, item, &mut saved, self.cancel);
            anyhow::Ok(row.map(|row| row.map(|row| (row, saved))))
        };
        let (mut failed, mut is_interrupted) = (Vec::new(), false);
        ordered_parallel_map(threads, &items, work, |(text, seed), result| {
            match result? {
                // Rows after that of an interrupted training would have another order when the table is resumed. The
                // last checkpoint of this training makes its row then.
                Ok(Some((_, saved))) if is_interrupted && saved.exists() => {}
                Ok(Some((row, saved))) => {
                    file.add(text, *seed, &row)?;
                    saved.remove();
                    count += 1;
                    let left = started.elapsed().as_secs_f64() / count as f64 * (items.len() - count) as f64;
                    let details = format!("accuracy {:.1} %", row.accuracy);
                    progress.count("training", known + count, total, &details, Some(left));
                }
                Ok(None) => is_interrupted = true,
                // A failed training is reported at the end; the remaining trainings continue.
                Err(error) => failed.push(error.context(format!("{text} with seed {seed}"))),
            }
            Ok(())
        })?;
        drop(progress);
        let interrupted = self.cancel.load(Ordering::Relaxed) && count + failed.len() < items.len();
        self.finish(&file, &trainer, failed, interrupted, total)
    }

    fn on_cluster(&self, data: &DataIdentity, config: &ClusterConfig, detach: bool) -> Result<ExitStatus> {
        let trainer = self.trainer()?;
        let mut items = self.items(&trainer)?;
        // A table with other settings is refused before anything is submitted.
        let file = self.open(&trainer, CLAIM_TIMEOUT)?;
        items.retain(|(text, seed)| !file.holds(text, *seed));
        drop(file);
        if items.is_empty() {
            return self.merge(Vec::new());
        }
        let settings = self.settings(&trainer)?;
        let plans = items.iter().map(|(text, seed)| cluster::plan_of(self.config, &settings, text, *seed));
        let hand_over = HandOver {
            dir: cluster::plan_dir(self.path)?,
            runs: plans.collect::<Result<_>>()?,
            data,
            config,
            detach,
            threads: self.config.threads,
            // A row is published as a whole.
            is_done: &|_| Ok(true),
            cancel: self.cancel,
        };
        match hand_over.execute(&mut ProgressDisplay::new(self.args.run.progress))? {
            HandOverOutcome::Ended(failed) => self.merge(failed),
            HandOverOutcome::StillRunning(status) => Ok(status),
        }
    }

    /// Writes the rows of the finished trainings of a cluster into the table.
    fn merge(&self, failed: Vec<Error>) -> Result<ExitStatus> {
        let trainer = self.trainer()?;
        let (dir, settings) = (cluster::plan_dir(self.path)?, self.settings(&trainer)?);
        let items = self.items(&trainer)?;
        let mut file = self.open(&trainer, CLAIM_TIMEOUT)?;
        let mut rows = BTreeMap::new();
        for (text, seed) in items.iter().filter(|(text, seed)| !file.holds(text, *seed)) {
            if let Some(published) = TrainedRow::read(&dir, &settings, text, *seed)? {
                rows.insert((text.clone(), *seed), published.row);
            }
        }
        file.merge(&items, rows)?;
        let missing = items.iter().filter(|(text, seed)| !file.holds(text, *seed)).count();
        if missing > failed.len() {
            eprint_line(&format!("{missing} of {} trainings are not finished", items.len()));
        }
        self.finish(&file, &trainer, failed, false, items.len())
    }

    /// A trainer for the notation of the space. It trains nothing, so the CPU suffices.
    fn trainer(&self) -> Result<StandAloneTrainer<Cpu>> {
        Ok(StandAloneTrainer::new(self.config, self.dataset.clone(), &Cpu::default())?)
    }

    /// Prints the summary of the table.
    fn finish<D: TrainingDevice>(
        &self,
        file: &TruthFile,
        trainer: &StandAloneTrainer<D>,
        failed: Vec<Error>,
        interrupted: bool,
        total: usize,
    ) -> Result<ExitStatus> {
        let summary = summary::TruthTableSummary::of(file, self.config, &**trainer.space(), interrupted);
        if self.args.run.json {
            print(&serde_json::to_string(&summary)?)?;
        } else {
            let options = use_options::options(self.config, trainer.space().scale(), self.path);
            let hint = if summary.is_empty() { String::new() } else { format!("\nTo use the table, add {options}") };
            print(&(summary.table() + &hint))?;
        }
        let lost = failed.len();
        match failed.into_iter().next() {
            Some(error) => Err(error.context(format!("{lost} of {total} trainings failed and are not in the table"))),
            None if interrupted => Ok(ExitStatus::Interrupted),
            None => Ok(ExitStatus::Success),
        }
    }
}
