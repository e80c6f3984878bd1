//! The run directory: files with the configuration, metrics, log and result of a run.

mod csv_file;
mod dir;
mod events;
mod log;
mod manifest;
mod run_file;
mod saving;
mod schedule;

pub use dir::OutDir;
pub use saving::{BEST_WEIGHTS, CHECKPOINTS, RECORD, WEIGHTS, remove_checkpoints};
pub use schedule::CheckpointSchedule;

use crate::archive::{ARCHIVE, event_file};
use crate::data::DataIdentity;
use crate::exit::UsageError;
use crate::exit::chained;
use crate::files;
use crate::run_kind::RunKind;
use crate::settings::{Settings, with_absolute_paths};
use crate::summary::TrainingResult;
use crate::tensorboard::EventFile;
use crate::text::eprint_line;
use anyhow::{Context, Result};
use csv_file::CsvFile;
use log::Log;
use manifest::{Manifest, Status};
use nas_core::config::RunConfig;
use nas_core::durable;
use nas_core::event::RunSize;
use run_file::{FileDigest, FilePosition};
use saving::CheckpointCost;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Marks a run directory that a comparison made. Only the existence of the file matters, not its content.
pub const MARKER: &str = ".compare-run";

/// The files of a run in its directory, packed or not.
const FILES: [&str; 9] = [
    "config.toml",
    "metrics.csv",
    "archs.csv",
    "timings.csv",
    "log.jsonl",
    "result.json",
    "matrix.csv",
    ARCHIVE,
    // The last one: it names the event file, which is removed before.
    "manifest.json",
];

/// Writes the events of a run into its directory.
///
/// `metrics.csv` and `archs.csv` contain no times: equal runs write equal bytes for any number of threads. Rows are
/// written at the end of an epoch, at a checkpoint, at a warning, when 64 KiB have collected, and at the end. A killed
/// run loses at most the rows since then, and writes them again when it resumes.
pub struct Recorder {
    dir: PathBuf,
    manifest: Manifest,
    config: FileDigest,
    /// The digests of the weights; none until they are written.
    weights: Vec<(&'static str, FileDigest)>,
    metrics: CsvFile,
    archs: CsvFile,
    timings: CsvFile,
    log: Log,
    events: Option<EventFile>,
    at: TrainingPosition,
    schedule: CheckpointSchedule,
    checkpoint_cost: CheckpointCost,
    run_config: RunConfig,
    /// The size of the run; none before its start.
    size: Option<RunSize>,
}

/// The position of training, which every row of `metrics.csv` and `archs.csv` states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct TrainingPosition {
    /// Number of finished steps.
    step: u64,
    epoch: usize,
    /// Training images of the epoch so far; an image counts once for each path that saw it.
    images: usize,
}

/// What a recorder states about a run in its files.
#[derive(Debug, Clone, Copy)]
pub struct RunFacts<'a> {
    /// The configuration.
    pub settings: &'a Settings,
    /// The data set.
    pub data: &'a DataIdentity,
    /// What is trained.
    pub kind: &'a RunKind,
    /// The directory for TensorBoard event files.
    pub tensorboard: Option<&'a Path>,
}

/// Training position, and length and digest of each file of a run, at a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordPosition {
    #[serde(flatten)]
    at: TrainingPosition,
    metrics: FilePosition,
    archs: FilePosition,
    timings: FilePosition,
    log: FilePosition,
    /// Length of the event file; none without one.
    events: Option<u64>,
}

impl RecordPosition {
    /// Number of finished steps.
    pub fn step(&self) -> u64 {
        self.at.step
    }
}

impl Recorder {
    /// Creates the run directory and its files, and a TensorBoard event file in the directory `tensorboard`. An error
    /// leaves none of these files.
    ///
    /// # Errors
    /// A directory or file cannot be written, another program writes to the run directory, or `tensorboard` has event
    /// files of another run.
    pub fn create(out: OutDir, facts: RunFacts<'_>) -> Result<Self> {
        let tensorboard = facts.tensorboard;
        tensorboard.map_or(Ok(()), |dir| EventFile::check(dir, None))?;
        let prepared = matches!(out, OutDir::Prepared(_));
        let dir = out.create()?;
        let event_file = tensorboard.map(|dir| (dir, EventFile::new_name()));
        let name = event_file.as_ref().map(|(_, name)| name.clone());
        // The manifest names the event file before that file exists, so that a killed run leaves no file of unknown
        // origin.
        let started = Manifest::start(&dir, facts, name);
        let started = started.inspect_err(|_| drop(fs::remove_dir(&dir)))?;
        // Another program may have chosen the directory at the same time.
        let reserved = if prepared { Ok(()) } else { dir::check_empty(&dir, &["manifest.json"]) };
        reserved.and_then(|()| Self::start(started, dir.clone(), facts, event_file)).inspect_err(|_| {
            // The first error is the one to report.
            let _ = remove_run(&dir);
            let _ = fs::remove_dir(&dir);
        })
    }

    fn start(
        manifest: Manifest,
        dir: PathBuf,
        facts: RunFacts<'_>,
        event_file: Option<(&Path, String)>,
    ) -> Result<Self> {
        let settings = facts.settings;
        let config = write_config(&dir, settings)?;
        let log = Log::create(&dir.join("log.jsonl"))?;
        log.lock(&dir)?;
        Ok(Self {
            metrics: CsvFile::create(&dir.join("metrics.csv"), &["step", "epoch", "split", "metric", "value"])?,
            archs: CsvFile::create(
                &dir.join("archs.csv"),
                &["step", "epoch", "purpose", "arch", "accuracy", "truth", "params"],
            )?,
            timings: CsvFile::create(&dir.join("timings.csv"), &["epoch", "metric", "value"])?,
            log,
            events: event_file.map(|(dir, name)| EventFile::create(dir, &name)).transpose()?,
            at: TrainingPosition::default(),
            schedule: CheckpointSchedule::new(&settings.config)?,
            checkpoint_cost: CheckpointCost::default(),
            run_config: settings.config.clone(),
            size: None,
            config,
            weights: Vec::new(),
            manifest,
            dir,
        })
    }

    /// Removes the files of an unfinished run, and starts it again in the same directory.
    ///
    /// # Errors
    /// A file cannot be removed or written, or another process writes to the directory.
    pub fn restart(dir: PathBuf, facts: RunFacts<'_>) -> Result<Self> {
        check_unused(&dir)?;
        if let Some((events, name)) = facts.tensorboard.zip(event_file(&dir)) {
            EventFile::remove(events, &name)?;
        }
        remove_run(&dir)?;
        Self::create(OutDir::Prepared(dir), facts)
    }

    /// Continues the files of an unfinished run at a position. What follows in them is removed, but only after all
    /// files have been checked.
    ///
    /// # Errors
    /// A file has changed or cannot be written, or another process writes to the directory.
    pub fn resume(dir: &Path, facts: RunFacts<'_>, position: &RecordPosition) -> Result<Self> {
        let RunFacts { settings, tensorboard, .. } = facts;
        let log = Log::open_locked(dir, &position.log)?;
        let metrics = CsvFile::open_at(&dir.join("metrics.csv"), &position.metrics)?;
        let archs = CsvFile::open_at(&dir.join("archs.csv"), &position.archs)?;
        let timings = CsvFile::open_at(&dir.join("timings.csv"), &position.timings)?;
        check_event_file(dir, tensorboard)?;
        let mut events = match (tensorboard, event_file(dir), position.events) {
            (Some(events), Some(name), Some(length)) => Some(EventFile::open_at(events, &name, length)?),
            // Without the rows of the steps before, a continued file would be incomplete.
            _ => None,
        };
        // From here on, files are changed.
        log.cut()?;
        [&metrics, &archs, &timings].into_iter().try_for_each(CsvFile::cut)?;
        if let (Some(events), Some(length)) = (&mut events, position.events) {
            events.cut(length)?;
        }
        let config = write_config(dir, settings)?;
        for result in ["result.json", "matrix.csv"] {
            files::remove(&dir.join(result))?;
        }
        let manifest = Manifest::resume(dir, facts, position.step())?;
        Ok(Self {
            dir: dir.into(),
            manifest,
            config,
            weights: Vec::new(),
            metrics,
            archs,
            timings,
            log,
            events,
            at: position.at,
            schedule: CheckpointSchedule::new(&settings.config)?,
            checkpoint_cost: CheckpointCost::default(),
            run_config: settings.config.clone(),
            size: None,
        })
    }

    /// Writes the rows in memory.
    fn flush(&mut self) -> io::Result<()> {
        [&mut self.metrics, &mut self.archs, &mut self.timings].into_iter().try_for_each(CsvFile::flush)
    }

    /// The current position, with all of it on the disk. The rows in memory are written first.
    fn position(&mut self) -> io::Result<RecordPosition> {
        Ok(RecordPosition {
            at: self.at,
            metrics: self.metrics.position()?,
            archs: self.archs.position()?,
            timings: self.timings.position()?,
            log: self.log.position()?,
            events: self.events.as_ref().map(EventFile::length).transpose()?,
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
    pub fn finish(mut self, result: &impl TrainingResult) -> Result<()> {
        self.manifest.set_checkpoints(self.checkpoint_cost);
        let status = if result.interrupted() { Status::Interrupted } else { Status::Finished };
        let written = self.write(result).and_then(|digests| self.manifest.end(status, digests));
        written.inspect_err(|error| self.fail(error))
    }

    /// Writes the result and waits until all files are on the disk, because the status `finished` follows. Returns
    /// their digests.
    fn write(&mut self, result: &impl TrainingResult) -> Result<BTreeMap<&'static str, FileDigest>> {
        let mut digests = BTreeMap::new();
        let mut files = vec![("result.json", serde_json::to_string_pretty(result)? + "\n")];
        files.extend(result.files()?);
        for (name, text) in files {
            files::write(&self.dir.join(name), &text)?;
            digests.insert(name, FileDigest::of(name, text.as_bytes()));
        }
        let (metrics, archs, timings) = (&mut self.metrics, &mut self.archs, &mut self.timings);
        for (name, csv) in [("metrics.csv", metrics), ("archs.csv", archs), ("timings.csv", timings)] {
            digests.insert(name, csv.complete()?);
        }
        digests.insert("config.toml", self.config.clone());
        digests.extend(self.weights.iter().cloned());
        self.log.sync()?;
        digests.insert("log.jsonl", self.log.digest());
        durable::sync_dir(&self.dir)?;
        durable::sync_dir(self.dir.parent().unwrap_or(Path::new("")))?;
        Ok(digests)
    }

    /// Writes the rows in memory, and the status `failed` and the error into the manifest. Prints a warning if that
    /// fails too.
    pub fn fail(&mut self, error: &anyhow::Error) {
        // The first error is the one to report.
        let _ = self.flush();
        if let Err(second) = self.manifest.fail(chained(error)) {
            eprint_line(&format!("warning: {}", chained(&second)));
        }
    }
}

/// Checks that no other process writes to a run directory. A process locks its log as long as it runs.
///
/// # Errors
/// Another process holds the lock, or the log cannot be read.
pub fn check_unused(dir: &Path) -> Result<()> {
    let log = dir.join("log.jsonl");
    match fs::File::open(&log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        file => files::lock(&file.with_context(|| format!("cannot read {}", log.display()))?, dir),
    }
}

/// Removes the files of a run from its directory.
///
/// # Errors
/// A file cannot be removed.
pub fn remove_run(dir: &Path) -> Result<()> {
    saving::remove_state(dir)?;
    for name in FILES {
        let path = dir.join(name);
        files::remove(&files::temporary(&path))?;
        files::remove(&path)?;
    }
    Ok(())
}

/// Checks that a run which continues with an event file was started with one.
///
/// # Errors
/// It was started without.
pub fn check_event_file(dir: &Path, events: Option<&Path>) -> Result<(), UsageError> {
    if events.is_none() || event_file(dir).is_some() {
        return Ok(());
    }
    let problem = format!("--tensorboard: the run in {} was started without it", dir.display());
    let remedy = "leave it out, and use `nas-train export RUN --tensorboard DIR` when the run is finished";
    Err(UsageError(format!("{problem}: {remedy}")))
}

/// Writes `config.toml` with absolute paths, so that the file can be used in any directory.
fn write_config(dir: &Path, settings: &Settings) -> Result<FileDigest> {
    let text = toml::to_string(&with_absolute_paths(&settings.config)?.to_table()?)?;
    files::write(&dir.join("config.toml"), &text)?;
    Ok(FileDigest::of("config.toml", text.as_bytes()))
}
