//! One run or sequence from its options to its printed result.

use crate::args::{ResumeArgs, RunArgs};
use crate::data::LoadedData;
use crate::device::{Device, with_memory_advice};
use crate::exit::{ExitStatus, UsageError};
use crate::progress::ProgressDisplay;
use crate::record::{CHECKPOINTS, OutDir, Recorder, RunFacts, check_event_file};
use crate::resume::{RunCheckpoint, UnfinishedRun, killed_at_start, starts_again};
use crate::run_kind::RunKind;
use crate::settings::{Settings, check_effects};
use crate::signal::cancel;
use crate::summary::TrainingResult;
use crate::text::{eprint_line, print, shell_path};
use crate::trained_run::check_initial_weights;
use anyhow::Result;
use nas_core::config::RunConfig;
use nas_core::data::Dataset;
use nas_core::event::{Event, Observer, SavePoint};
use nas_core::state::State;
use nas_core::trainer::RunError;
use std::io;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The line after an interrupt of a command that makes several runs.
pub const REPEAT_TO_CONTINUE: &str = "to continue, repeat the command";

/// A run or sequence whose options are resolved. No file has been written yet.
pub struct SingleRun {
    settings: Settings,
    dir: RunDir,
    kind: RunKind,
    progress: ProgressDisplay,
    cancel: &'static AtomicBool,
    json: bool,
    tensorboard: Option<PathBuf>,
    /// Whether the command makes several runs, so that only its repetition makes all of them.
    one_of_several: bool,
}

/// The directory of a run.
enum RunDir {
    /// A new directory.
    New(OutDir),
    /// That of an unfinished run, which continues.
    Unfinished(PathBuf),
}

impl SingleRun {
    /// Resolves the options and chooses the run directory. A sequence or a stand-alone training that was stopped
    /// continues in its directory.
    ///
    /// # Errors
    /// Invalid options, or a run directory that is not empty and holds no unfinished run with these settings.
    pub fn plan(args: &RunArgs, kind: RunKind) -> Result<Self> {
        let settings = Settings::resolve(args)?;
        check_effects(slice::from_ref(&settings))?;
        Self::with_settings(settings, args.out.as_deref(), args, kind)
    }

    /// As [`plan`](Self::plan), with resolved settings and another directory.
    ///
    /// # Errors
    /// A run directory that is not empty and holds no unfinished run with these settings.
    pub fn with_settings(settings: Settings, out: Option<&Path>, args: &RunArgs, kind: RunKind) -> Result<Self> {
        let unfinished = match (out, &kind) {
            (Some(out), RunKind::Sequence(_) | RunKind::Retrain(_)) => UnfinishedRun::read(out).ok(),
            _ => None,
        };
        let dir = match unfinished {
            Some(run) if run.was_killed_at_start() => return Err(killed_at_start(&run.dir).into()),
            Some(run) => {
                check_continued(&run, &kind, &settings.config, args.tensorboard.as_deref())?;
                RunDir::Unfinished(run.dir)
            }
            None => RunDir::New(OutDir::plan(out, &settings.config, &kind)?),
        };
        Ok(Self {
            dir,
            kind,
            progress: ProgressDisplay::new(args.progress),
            cancel: cancel()?,
            json: args.json,
            tensorboard: args.tensorboard.clone(),
            one_of_several: false,
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
            kind: run.kind(),
            tensorboard: run.tensorboard(),
            dir: RunDir::Unfinished(run.dir),
            progress: ProgressDisplay::new(args.progress),
            cancel: cancel()?,
            json: args.json,
            one_of_several: false,
        })
    }

    /// This run as one of several that a command makes.
    pub fn one_of_several(self) -> Self {
        Self { one_of_several: true, ..self }
    }

    /// The device on which the run trains.
    ///
    /// # Errors
    /// An unknown device, or one that this build does not support.
    pub fn device(&self) -> Result<Device, UsageError> {
        Device::of(&self.settings.config)
    }

    /// Number of worker threads, 0 for one per core.
    pub fn threads(&self) -> usize {
        self.settings.config.threads
    }

    /// What the run trains.
    pub fn kind(&self) -> &RunKind {
        &self.kind
    }

    /// Reads the data, builds the training with `prepare`, trains with `work`, records and prints the result. `prepare`
    /// gets the state to continue from, if there is one.
    ///
    /// # Errors
    /// Data that cannot be read, a configuration that `prepare` rejects, failed training, files that cannot be written.
    pub fn execute<S, R: TrainingResult>(
        mut self,
        prepare: impl FnOnce(&RunConfig, Arc<Dataset>, Option<&State>) -> Result<S, RunError>,
        work: impl FnOnce(S, &mut dyn Observer, &AtomicBool) -> Result<R, RunError>,
    ) -> Result<ExitStatus> {
        let config = &self.settings.config;
        self.progress.print_line(&format!("reading data set {}", config.data.name));
        let data = LoadedData::read(&self.settings, self.cancel, |line| self.progress.print_line(line))?;
        let saved = match &self.dir {
            RunDir::New(_) => None,
            RunDir::Unfinished(dir) => RunCheckpoint::latest_or_start(dir, &data.identity)?,
        };
        if saved.is_none() {
            check_initial_weights(&self.settings)?;
        }
        let session = with_memory_advice(config, || {
            prepare(config, data.dataset.clone(), saved.as_ref().map(|saved| &saved.state))
        });
        let session = session.map_err(|error| {
            let error = self.settings.explain(error);
            match &saved {
                Some(saved) => saved.explain(error),
                None => error,
            }
        })?;
        if self.cancel.load(Ordering::Relaxed) {
            return Ok(ExitStatus::Interrupted);
        }
        let tensorboard = self.tensorboard.as_deref();
        let facts = RunFacts { settings: &self.settings, data: &data.identity, kind: &self.kind, tensorboard };
        let (mut recorder, line) = match (self.dir, saved) {
            (RunDir::New(out), _) => {
                let recorder = Recorder::create(out, facts)?;
                let line = format!("writing to {}", recorder.dir().display());
                (recorder, line)
            }
            (RunDir::Unfinished(dir), Some(saved)) => {
                let line = format!("{} continues at step {}", dir.display(), saved.position.step());
                (Recorder::resume(&dir, facts, &saved.position)?, line)
            }
            (RunDir::Unfinished(dir), None) => {
                let line = starts_again(&dir);
                (Recorder::restart(dir, facts)?, line)
            }
        };
        self.progress.print_line(&line);
        let mut observer = RecordThenShow { recorder: &mut recorder, progress: &mut self.progress };
        let outcome = with_memory_advice(config, || work(session, &mut observer, self.cancel));
        drop(self.progress);
        match outcome {
            Ok(result) => finish(&result, recorder, self.json, self.one_of_several),
            Err(error) => {
                recorder.fail(&error);
                Err(error)
            }
        }
    }
}

/// Checks that a command continues an unfinished run as it was started.
fn check_continued(run: &UnfinishedRun, kind: &RunKind, config: &RunConfig, tensorboard: Option<&Path>) -> Result<()> {
    if let Some(other) = run.difference(kind, config)? {
        let (dir, resume) = (run.dir.display(), format!("`nas-train resume {}`", shell_path(&run.dir)));
        let problem = format!("{dir} holds an unfinished run with another {other}");
        return Err(UsageError(format!("{problem}: {resume} continues it; or choose another --out")).into());
    }
    if run.has_checkpoints() {
        check_event_file(&run.dir, tensorboard)?;
    }
    Ok(())
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

    fn needs_state(&mut self, point: SavePoint) -> bool {
        self.recorder.needs_state(point)
    }

    fn receive_state(&mut self, state: State, point: SavePoint) -> io::Result<()> {
        self.recorder.receive_state(state, point)
    }
}

fn finish(result: &impl TrainingResult, recorder: Recorder, json: bool, one_of_several: bool) -> Result<ExitStatus> {
    let dir = recorder.dir().to_path_buf();
    // Recording and printing are independent: if one fails, the other still happens.
    let written = recorder.finish(result);
    let printed = print_result(result, &dir, json);
    written.and(printed)?;
    if !result.interrupted() {
        return Ok(ExitStatus::Success);
    }
    eprint_line(&match one_of_several {
        true => REPEAT_TO_CONTINUE.into(),
        false if !dir.join(CHECKPOINTS).exists() => {
            format!("no checkpoint was written; nas-train resume {} starts the run again", shell_path(&dir))
        }
        false => format!("to resume the run: nas-train resume {}", shell_path(&dir)),
    });
    Ok(ExitStatus::Interrupted)
}

/// Prints a result as one line of JSON, or as tables. `dir` is the run directory.
///
/// # Errors
/// Standard output cannot be written.
pub fn print_result(result: &impl TrainingResult, dir: &Path, json: bool) -> Result<()> {
    if json { print(&serde_json::to_string(result)?) } else { print(&result.summary(dir)) }
}
