//! One run or sequence from its options to its printed result.

use crate::args::{ResumeArgs, RunArgs};
use crate::data::LoadedData;
use crate::device::Device;
use crate::exit::{ExitStatus, UsageError};
use crate::progress::ProgressDisplay;
use crate::record::{OutDir, Recorder, RunFacts};
use crate::resume::{SavedRun, UnfinishedRun};
use crate::settings::Settings;
use crate::signal::cancel;
use crate::summary::Outcome;
use crate::text::{eprint_line, print};
use anyhow::Result;
use nas_core::config::RunConfig;
use nas_core::data::Dataset;
use nas_core::event::{Event, Moment, Observer};
use nas_core::state::State;
use nas_core::trainer::RunError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A run or sequence whose options are resolved. No file has been written yet.
pub struct SingleRun {
    settings: Settings,
    place: Place,
    /// Number of architectures trained one after another; none for a run.
    sequence: Option<usize>,
    progress: ProgressDisplay,
    cancel: &'static AtomicBool,
    json: bool,
    tensorboard: Option<PathBuf>,
}

/// Where a run writes.
enum Place {
    /// A new run directory.
    New(OutDir),
    /// The directory of an unfinished run, which continues.
    Unfinished(PathBuf),
}

impl SingleRun {
    /// Resolves the options and chooses the run directory. `sequence` is the number of architectures of a sequence. A
    /// sequence that was stopped continues in its directory.
    ///
    /// # Errors
    /// Invalid options, or a run directory that is not empty.
    pub fn plan(args: &RunArgs, sequence: Option<usize>) -> Result<Self> {
        let settings = Settings::resolve(args)?;
        let unfinished = match (&args.out, sequence) {
            (Some(out), Some(_)) => UnfinishedRun::read(out).ok(),
            _ => None,
        };
        let place = match unfinished {
            Some(run) if run.sequence() == sequence && run.other_settings(&settings.config)?.is_none() => {
                Place::Unfinished(run.dir)
            }
            _ => Place::New(OutDir::plan(args.out.as_deref(), &settings.config)?),
        };
        Ok(Self {
            place,
            sequence,
            progress: ProgressDisplay::new(args.progress),
            cancel: cancel()?,
            json: args.json,
            tensorboard: args.tensorboard.clone(),
            settings,
        })
    }

    /// The unfinished run of a directory, to be continued.
    ///
    /// # Errors
    /// A directory without an unfinished run, and options that a run cannot continue with.
    pub fn resume(args: &ResumeArgs) -> Result<Self> {
        let run = UnfinishedRun::to_resume(args)?;
        Ok(Self {
            settings: run.settings(args)?,
            sequence: run.sequence(),
            tensorboard: run.tensorboard(),
            place: Place::Unfinished(run.dir),
            progress: ProgressDisplay::new(args.progress),
            cancel: cancel()?,
            json: args.json,
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

    /// Number of architectures of a sequence; none for a run.
    pub fn sequence(&self) -> Option<usize> {
        self.sequence
    }

    /// Reads the data, builds the training with `prepare`, trains with `work`, records and prints the result. `prepare` gets
    /// the state to continue from, if there is one.
    ///
    /// # Errors
    /// Data that cannot be read, a configuration that `prepare` rejects, failed training, files that cannot be written.
    pub fn execute<S, R: Outcome>(
        mut self,
        prepare: impl FnOnce(&RunConfig, Arc<Dataset>, Option<&State>) -> Result<S, RunError>,
        work: impl FnOnce(S, &mut dyn Observer, &AtomicBool) -> Result<R, RunError>,
    ) -> Result<ExitStatus> {
        let config = &self.settings.config;
        self.progress.print_line(&format!("reading data set {}", config.data.name));
        let data = LoadedData::read(&self.settings, self.cancel, |line| self.progress.print_line(line))?;
        let saved = match &self.place {
            Place::New(_) => None,
            Place::Unfinished(dir) => SavedRun::latest(dir, &data.identity)?,
        };
        let session = prepare(config, data.dataset.clone(), saved.as_ref().map(|saved| &saved.state));
        let session = session.map_err(|error| {
            let error = self.settings.explain(error.into());
            match &saved {
                Some(saved) => saved.explain(error),
                None => error,
            }
        })?;
        if self.cancel.load(Ordering::Relaxed) {
            return Ok(ExitStatus::Interrupted);
        }
        let tensorboard = self.tensorboard.as_deref();
        let facts = RunFacts { settings: &self.settings, data: &data.identity, sequence: self.sequence, tensorboard };
        let (mut recorder, line) = match (self.place, saved) {
            (Place::New(out), _) => {
                let recorder = Recorder::create(out, facts)?;
                let line = format!("writing to {}", recorder.dir().display());
                (recorder, line)
            }
            (Place::Unfinished(dir), Some(saved)) => {
                let line = format!("{} continues at step {}", dir.display(), saved.position.step());
                (Recorder::resume(&dir, facts, &saved.position)?, line)
            }
            (Place::Unfinished(dir), None) => {
                let line = format!("{} has no checkpoint, so the run starts again", dir.display());
                (Recorder::restart(dir, facts)?, line)
            }
        };
        self.progress.print_line(&line);
        let mut observer = RecordThenShow { recorder: &mut recorder, progress: &mut self.progress };
        let outcome = work(session, &mut observer, self.cancel);
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
pub struct RecordThenShow<'a> {
    /// Receives the state too.
    pub recorder: &'a mut Recorder,
    /// The progress on the terminal.
    pub progress: &'a mut ProgressDisplay,
}

impl Observer for RecordThenShow<'_> {
    fn observe(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.recorder.observe(event)?;
        self.progress.observe(event)
    }

    fn wants_state(&mut self, moment: Moment) -> bool {
        self.recorder.wants_state(moment)
    }

    fn keep_state(&mut self, state: State, moment: Moment) -> io::Result<()> {
        self.recorder.keep_state(state, moment)
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
    if result.interrupted() {
        eprint_line(&format!("to resume the run: nas-train resume {}", dir.display()));
    }
    Ok(if result.interrupted() { ExitStatus::Interrupted } else { ExitStatus::Success })
}
