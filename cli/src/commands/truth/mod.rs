//! `nas-train truth`: a table of stand-alone accuracies.

mod file;
mod recipe;
mod rows;
mod saved;
mod summary;

use crate::args::TruthArgs;
use crate::data::LoadedData;
use crate::device::{Device, on_device, with_memory_advice};
use crate::exit::{ExitStatus, UsageError};
use crate::parallel::{ThreadsPerJob, ordered_parallel_map};
use crate::progress::ProgressDisplay;
use crate::settings::Settings;
use crate::signal::cancel;
use crate::text::print;
use anyhow::Result;
use file::{TruthFile, TruthRow};
use nas_core::config::{RetrainConfig, RunConfig, TrainImages, TruthSamples};
use nas_core::data::Dataset;
use nas_core::registry::Target;
use nas_core::trainer::StandAloneTrainer;
use recipe::recipe;
use saved::SavedTraining;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Trains architectures stand-alone, each with several seeds, and appends their accuracies to a CSV file.
///
/// # Errors
/// Invalid options, a table that was made with other settings, or diverged training.
pub fn truth(args: &TruthArgs) -> Result<ExitStatus> {
    let mut settings = Settings::resolve(&args.run)?;
    let path = args.run.out.as_deref().filter(|path| path.extension().is_some_and(|e| e == "csv"));
    let path =
        path.ok_or_else(|| UsageError("`truth` requires --out FILE.csv, the table to create or resume".into()))?;
    let (cancel, mut progress) = (cancel()?, ProgressDisplay::new(args.run.progress));
    let LoadedData { dataset, identity } = LoadedData::read(&settings, cancel, |line| progress.print_line(line))?;
    // A truth table ranks architectures: the recipe is that of `[train]` alone, on the training images of a supernet.
    settings.config.retrain = RetrainConfig { images: TrainImages::Split, eval_every: 0, ..RetrainConfig::default() };
    // The recipe beside the table thus names the data.
    settings.config.data.fingerprint = Some(identity.fingerprint);
    let job = TableJob { args, path, dataset, config: &settings.config, cancel };
    let done = on_device!(Device::parse(&settings.config.device)?, |make| job.on(make));
    done.map_err(|error| settings.explain(error))
}

/// The trainings of one truth table.
struct TableJob<'a> {
    args: &'a TruthArgs,
    path: &'a Path,
    dataset: Arc<Dataset>,
    config: &'a RunConfig,
    cancel: &'static AtomicBool,
}

impl TableJob<'_> {
    fn on<D: Target>(&self, device: impl Fn() -> Result<D> + Sync) -> Result<ExitStatus> {
        let trainer = StandAloneTrainer::new(self.config, self.dataset.clone(), &device()?)?;
        let samples = TruthSamples::parse(&self.args.samples).map_err(UsageError)?;
        let archs = trainer.sample(samples)?;
        let mut file = TruthFile::open(self.path, &recipe(self.config, trainer.space().scale())?, &**trainer.space())?;
        let first = self.config.seed;
        let mut items = Vec::new();
        for arch in &archs {
            let text = trainer.space().format(arch);
            let missing = (first..first + u64::from(self.args.seeds)).filter(|seed| !file.holds(&text, *seed));
            items.extend(missing.map(|seed| (arch.clone(), text.clone(), seed)));
        }
        let mut progress = ProgressDisplay::new(self.args.run.progress);
        let threads = ThreadsPerJob::new(self.args.jobs.into(), self.config.threads);
        let total = archs.len() * usize::from(self.args.seeds);
        let known = total - items.len();
        let saved = |(_, text, seed): &(_, String, u64)| SavedTraining::of(self.path, text, *seed, self.config);
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
        let work = |item: &(_, String, u64)| {
            let (_, arch, seed) = item;
            // Building a trainer takes time, and many items may be left.
            if self.cancel.load(Ordering::Relaxed) {
                return Ok(Ok(None));
            }
            let mut saved = saved(item)?;
            let device = device()?;
            let result = with_memory_advice(self.config, || {
                let trainer = StandAloneTrainer::new(self.config, self.dataset.clone(), &device)?;
                let start = || trainer.start(arch, *seed);
                let continued = saved.state().and_then(|state| start().and_then(|run| run.restore(&state)).ok());
                continued.map_or_else(start, Ok)?.run(&mut saved, self.cancel)
            });
            anyhow::Ok(result.map(|result| TruthRow::of(&result).map(|row| (row, saved))))
        };
        let mut failed = Vec::new();
        ordered_parallel_map(threads, &items, work, |(_, text, seed), result| {
            match result? {
                Ok(Some((row, saved))) => {
                    file.add(text, *seed, &row)?;
                    saved.remove();
                    count += 1;
                    let left = started.elapsed().as_secs_f64() / count as f64 * (items.len() - count) as f64;
                    progress.count("training", known + count, total, &format!("accuracy {:.1} %", row.accuracy), left);
                }
                Ok(None) => {}
                // A failed training is reported at the end; the remaining trainings continue.
                Err(error) => failed.push(error.context(format!("{text} with seed {seed}"))),
            }
            Ok(())
        })?;
        drop(progress);
        let interrupted = self.cancel.load(Ordering::Relaxed) && count + failed.len() < items.len();
        let summary = summary::Summary::of(&file, self.config, &**trainer.space(), interrupted);
        print(&if self.args.run.json { serde_json::to_string(&summary)? } else { summary.table(self.path) })?;
        let lost = failed.len();
        match failed.into_iter().next() {
            Some(error) => Err(error.context(format!("{lost} of {total} trainings failed and are not in the table"))),
            None if interrupted => Ok(ExitStatus::Interrupted),
            None => Ok(ExitStatus::Success),
        }
    }
}
