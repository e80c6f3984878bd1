//! The run directory: files with the configuration, metrics, log and result of a run.

mod csv_file;
mod dir;
mod log;
mod manifest;

pub use dir::OutDir;

use crate::data::DataIdentity;
use crate::exit::chained;
use crate::files;
use crate::settings::Settings;
use crate::summary::Outcome;
use crate::tensorboard::EventFile;
use crate::text::eprint_line;
use anyhow::{Context, Result};
use csv_file::CsvFile;
use log::Log;
use manifest::{Manifest, Status};
use nas_core::event::{Evaluated, Event, Observer, ProbesDone, Purpose, Trained};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Writes the events of a run into its directory.
///
/// `metrics.csv` and `archs.csv` contain no times: equal runs write equal bytes for any number of threads. Each row is
/// flushed before the next event, so that a killed run loses at most one row.
pub struct Recorder {
    dir: PathBuf,
    manifest: Manifest,
    metrics: CsvFile,
    archs: CsvFile,
    timings: CsvFile,
    log: Log,
    events: Option<EventFile>,
    at: TrainingPosition,
}

/// The position of training, which every row of `metrics.csv` and `archs.csv` states.
#[derive(Debug, Clone, Copy, Default)]
struct TrainingPosition {
    /// Number of finished steps.
    step: u64,
    epoch: usize,
    /// Training images of the epoch so far; an image counts once for each path that saw it.
    images: usize,
}

impl Recorder {
    /// Creates the run directory and its files, and a TensorBoard event file in the directory `tensorboard`.
    ///
    /// # Errors
    /// A directory or file cannot be written.
    pub fn create(out: OutDir, settings: &Settings, data: &DataIdentity, tensorboard: Option<&Path>) -> Result<Self> {
        let events = tensorboard.map(EventFile::create).transpose()?;
        let dir = out.create()?;
        let manifest = Manifest::start(&dir, &settings.config, data)?;
        let config = stored_config(settings)?;
        let path = dir.join("config.toml");
        fs::write(&path, config).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            metrics: CsvFile::create(dir.join("metrics.csv"), &["step", "epoch", "split", "metric", "value"])?,
            archs: CsvFile::create(
                dir.join("archs.csv"),
                &["step", "epoch", "purpose", "arch", "accuracy", "truth", "params"],
            )?,
            timings: CsvFile::create(dir.join("timings.csv"), &["epoch", "metric", "value"])?,
            log: Log::create(dir.join("log.jsonl"))?,
            events,
            at: TrainingPosition::default(),
            manifest,
            dir,
        })
    }

    /// The run directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes the result, and then the final status into the manifest.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(self, result: &impl Outcome) -> Result<()> {
        if let Err(error) = self.write(result) {
            self.manifest.end(Status::Failed, Some(chained(&error)))?;
            return Err(error);
        }
        let status = if result.interrupted() { Status::Interrupted } else { Status::Finished };
        self.manifest.end(status, None)
    }

    fn write(&self, result: &impl Outcome) -> Result<()> {
        let mut files = vec![("result.json", serde_json::to_string_pretty(result)? + "\n")];
        files.extend(result.files()?);
        for (name, text) in files {
            files::write(&self.dir.join(name), &text)?;
        }
        // The manifest's status `finished` follows, so all rows must be on the disk before.
        [&self.metrics, &self.archs, &self.timings].into_iter().try_for_each(|csv| Ok(csv.sync()?))
    }

    /// Writes the status `failed` and the error into the manifest. Prints a warning if that fails too.
    pub fn fail(self, error: &anyhow::Error) {
        if let Err(second) = self.manifest.end(Status::Failed, Some(chained(error))) {
            eprint_line(&format!("warning: {}", chained(&second)));
        }
    }

    fn metric(&mut self, split: &str, name: &str, value: f64) -> io::Result<()> {
        let TrainingPosition { step, epoch, .. } = self.at;
        if let Some(events) = &mut self.events {
            events.scalar(&format!("{split}/{name}"), step, value)?;
        }
        self.metrics.row(&[&step.to_string(), &epoch.to_string(), split, name, &value.to_string()])
    }

    fn figures(&mut self, split: &str, figures: &[(String, f64)]) -> io::Result<()> {
        figures.iter().try_for_each(|(name, value)| self.metric(split, name, *value))
    }

    /// Adds a row to `timings.csv`, which holds the values that differ between equal runs.
    fn time(&mut self, name: &str, value: f64) -> io::Result<()> {
        self.timings.row(&[&self.at.epoch.to_string(), name, &value.to_string()])
    }

    fn arch(&mut self, purpose: &str, arch: &str, accuracy: f64, truth: &str, params: &str) -> io::Result<()> {
        let TrainingPosition { step, epoch, .. } = self.at;
        self.archs.row(&[&step.to_string(), &epoch.to_string(), purpose, arch, &accuracy.to_string(), truth, params])
    }

    fn probes(&mut self, done: &ProbesDone<'_>) -> io::Result<()> {
        for (arch, accuracy) in done.archs.iter().zip(done.accuracies) {
            self.arch("probe", arch, *accuracy, "", "")?;
        }
        self.figures("probe", &done.figures)
    }

    fn trained(&mut self, done: &Trained<'_>) -> io::Result<()> {
        let rows = done.archs.iter().zip(done.accuracies);
        rows.into_iter().try_for_each(|(arch, accuracy)| self.arch("sequence", arch, *accuracy, "", ""))
    }

    fn evaluated(&mut self, done: &Evaluated<'_>) -> io::Result<()> {
        let purpose = match done.purpose {
            Purpose::Proposal => "proposal",
            Purpose::Truth => "truth",
        };
        let truth = done.truth.map(|truth| truth.to_string()).unwrap_or_default();
        self.arch(purpose, done.text, done.accuracy, &truth, &done.params.to_string())
    }
}

/// The configuration as TOML. The directory of the data is absolute, so that the file can be used in any directory.
fn stored_config(settings: &Settings) -> Result<String> {
    let mut config = settings.config.clone();
    if let Some(dir) = &mut config.data.dir {
        *dir = std::path::absolute(&dir).with_context(|| format!("the directory {}", dir.display()))?;
    }
    Ok(toml::to_string(&config.to_table()?)?)
}

impl Observer for Recorder {
    fn observe(&mut self, event: &Event<'_>) -> io::Result<()> {
        match event {
            Event::Start(_) | Event::Evaluating(_) => Ok(()),
            Event::Trained(done) => self.trained(done),
            Event::Note(text) => self.log.line("note", self.at.step, text),
            Event::Warning(text) => self.log.line("warning", self.at.step, text),
            Event::Step(done) => {
                let images = if done.epoch == self.at.epoch { self.at.images } else { 0 };
                let images = images + done.images * done.paths;
                self.at = TrainingPosition { step: done.step + 1, epoch: done.epoch, images };
                self.metric("train", "loss", done.loss)
            }
            Event::Epoch(done) => {
                self.metric("train", "mean_loss", done.train_loss)?;
                self.metric("train", "lr", done.lr)?;
                self.metric("train", "gradient_norm", done.gradient_norm)?;
                self.metric("train", "fairness_min", done.fairness.0 as f64)?;
                self.metric("train", "fairness_max", done.fairness.1 as f64)?;
                let (times, figures): (Vec<_>, Vec<_>) =
                    done.telemetry.iter().cloned().partition(|(name, _)| name.starts_with("time."));
                self.figures("strategy", &figures)?;
                self.time("train_s", done.seconds)?;
                self.time("images_per_s", self.at.images as f64 / done.seconds)?;
                times.iter().try_for_each(|(name, value)| self.time(name, *value))
            }
            Event::Probes(done) => self.probes(done),
            Event::Controller(done) => {
                self.metric("controller", "reward", done.reward)?;
                self.figures("controller", &done.telemetry)
            }
            Event::Evaluated(done) => self.evaluated(done),
        }
    }
}
