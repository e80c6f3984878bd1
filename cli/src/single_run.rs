//! One run or sequence from its options to its printed result.

use crate::args::RunArgs;
use crate::data::LoadedData;
use crate::device::Device;
use crate::exit::{ExitStatus, UsageError};
use crate::progress::ProgressDisplay;
use crate::record::{OutDir, Recorder};
use crate::settings::Settings;
use crate::signal::cancel;
use crate::summary::Outcome;
use crate::text::print;
use anyhow::Result;
use nas_core::config::RunConfig;
use nas_core::data::Dataset;
use nas_core::event::{Event, Observer};
use nas_core::trainer::RunError;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A run or sequence whose options are resolved. No file has been written yet.
pub struct SingleRun {
    settings: Settings,
    out: OutDir,
    progress: ProgressDisplay,
    cancel: &'static AtomicBool,
    json: bool,
    tensorboard: Option<PathBuf>,
}

impl SingleRun {
    /// Resolves the options and chooses the run directory.
    ///
    /// # Errors
    /// Invalid options, or a run directory that is not empty.
    pub fn plan(args: &RunArgs) -> Result<Self> {
        let settings = Settings::resolve(args)?;
        Ok(Self {
            out: OutDir::plan(args.out.as_deref(), &settings.config)?,
            progress: ProgressDisplay::new(args.progress),
            cancel: cancel()?,
            json: args.json,
            tensorboard: args.tensorboard.clone(),
            settings,
        })
    }

    /// The device on which the run trains.
    ///
    /// # Errors
    /// An unknown device, or one that this build does not support.
    pub fn device(&self) -> Result<Device, UsageError> {
        Device::parse(&self.settings.config.device)
    }

    /// Number of worker threads, 0 for one per core.
    pub fn threads(&self) -> usize {
        self.settings.config.threads
    }

    /// Reads the data, builds the training with `prepare`, trains with `work`, records and prints the result.
    ///
    /// # Errors
    /// Data that cannot be read, a configuration that `prepare` rejects, failed training, files that cannot be written.
    pub fn execute<S, R: Outcome>(
        mut self,
        prepare: impl FnOnce(&RunConfig, Arc<Dataset>) -> Result<S, RunError>,
        work: impl FnOnce(S, &mut dyn Observer, &AtomicBool) -> Result<R, RunError>,
    ) -> Result<ExitStatus> {
        let config = &self.settings.config;
        self.progress.print_line(&format!("reading data set {}", config.data.name));
        let data = LoadedData::read(&self.settings, self.cancel, |line| self.progress.print_line(line))?;
        let session = prepare(config, data.dataset.clone()).map_err(|error| self.settings.explain(error.into()))?;
        if self.cancel.load(Ordering::Relaxed) {
            return Ok(ExitStatus::Interrupted);
        }
        let mut recorder = Recorder::create(self.out, &self.settings, &data.identity, self.tensorboard.as_deref())?;
        self.progress.print_line(&format!("writing to {}", recorder.dir().display()));
        let outcome = work(session, &mut record_then_show(&mut recorder, &mut self.progress), self.cancel);
        drop(self.progress);
        match outcome {
            Ok(result) => finish(&result, recorder, self.json),
            Err(error) => {
                let error = error.into();
                recorder.fail(&error);
                Err(error)
            }
        }
    }
}

/// An observer that records each event before it shows it, so that everything shown is on the disk.
pub fn record_then_show<'a>(recorder: &'a mut Recorder, progress: &'a mut ProgressDisplay) -> impl Observer + use<'a> {
    |event: &Event<'_>| {
        recorder.observe(event)?;
        progress.observe(event)
    }
}

fn finish(result: &impl Outcome, recorder: Recorder, json: bool) -> Result<ExitStatus> {
    let dir = recorder.dir().to_path_buf();
    // Recording and printing are independent: if one fails, the other still happens.
    let written = recorder.finish(result);
    let printed = match json {
        true => serde_json::to_string(result).map_err(Into::into).and_then(|line| print(&line)),
        false => print(&result.summary(&dir)),
    };
    written.and(printed)?;
    Ok(if result.interrupted() { ExitStatus::Interrupted } else { ExitStatus::Success })
}
