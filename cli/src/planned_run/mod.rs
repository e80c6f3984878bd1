//! One of several runs that a command has planned. A finished run is kept, an unfinished one continues from its latest
//! checkpoint.

pub mod directory;

use crate::archive::{Archived, Incomplete};
use crate::args::ProgressMode;
use crate::data::DataIdentity;
use crate::device::with_memory_advice;
use crate::exit::UsageError;
use crate::plugin_build::other_build;
use crate::progress::{ProgressBars, ProgressDisplay};
use crate::record::{OutDir, Recorder, RunFacts, check_event_file};
use crate::resume::{RunCheckpoint, UnfinishedRun, starts_again};
use crate::run_kind::RunKind;
use crate::settings::{Settings, other_device, other_run};
use crate::single_run::RecordThenShow;
use crate::summary::TrainingResult;
use anyhow::{Context, Result};
use nas_core::event::Observer;
use nas_core::state::State;
use nas_core::trainer::RunError;
use serde_json::Value;
use std::path::PathBuf;

/// A run, a sequence or a stand-alone training, with everything that determines it.
#[derive(Debug, Clone)]
pub struct PlannedRun {
    /// The label of its variant.
    pub label: String,
    /// The seed of the run; equal to that of its settings.
    pub seed: u64,
    /// The configuration, and the origin of each value.
    pub settings: Settings,
    /// The run directory.
    pub dir: PathBuf,
    /// The directory for TensorBoard event files.
    pub tensorboard: Option<PathBuf>,
    /// The identity of the data set.
    pub data: DataIdentity,
    /// SHA-256 of the truth table; none if the run is not compared with one.
    pub truth: Option<String>,
    /// What is trained.
    pub kind: RunKind,
}

impl PlannedRun {
    /// Whether the directory holds the finished run, made with the same settings and files.
    ///
    /// # Errors
    /// The directory holds a run with other settings or files, one that cannot be read, or something that this
    /// comparison did not make.
    pub fn is_done(&self, bars: &ProgressBars) -> Result<bool> {
        let archived = match Archived::read(&self.dir) {
            Ok(archived) => archived,
            Err(error) => {
                let context = || self.dir.display().to_string();
                let Some(incomplete) = error.downcast_ref::<Incomplete>() else {
                    return Err(error).with_context(context);
                };
                directory::check(&self.dir, self.tensorboard.as_deref(), incomplete)?;
                // Unlike an interrupted run, a damaged one is unexpected, so the user is informed.
                if incomplete.is_damage() {
                    bars.print_line(&format!("{} is repeated: {incomplete}", context()));
                }
                self.check_unfinished()?;
                return Ok(false);
            }
        };
        let kind = RunKind::of(archived.manifest());
        self.refuse(other_run((&kind, archived.config()), (&self.kind, &self.settings.config))?)?;
        self.refuse(self.other_device(archived.manifest()))?;
        self.refuse(other_build(&self.settings.config.strategy.name, archived.manifest()))?;
        self.refuse(self.data.difference(archived.manifest()))?;
        if let Archived::Run(run) = &archived {
            let truth = run.result.truth.as_ref().map(|truth| &truth.sha256);
            self.refuse((truth != self.truth.as_ref()).then(|| "content of the truth table".into()))?;
        }
        Ok(true)
    }

    /// Refuses an unfinished run of other settings. It has checkpoints, which its repetition would remove.
    fn check_unfinished(&self) -> Result<()> {
        let Ok(run) = UnfinishedRun::read(&self.dir) else { return Ok(()) };
        if !run.has_checkpoints() {
            return Ok(());
        }
        self.refuse(self.data.difference(&run.manifest))?;
        self.refuse(run.difference(&self.kind, &self.settings.config)?)?;
        self.refuse(self.other_device(&run.manifest))?;
        self.refuse(other_build(&self.settings.config.strategy.name, &run.manifest))?;
        Ok(check_event_file(&self.dir, self.tensorboard.as_deref())?)
    }

    /// Returns an error if the run in the directory differs in `other`, for example `train.lr (0.05, now 0.01)`.
    fn refuse(&self, other: Option<String>) -> Result<()> {
        let Some(other) = other else { return Ok(()) };
        Err(UsageError(format!(
            "{} holds a run with another {other}: resume with the original arguments and files, or choose another --out",
            self.dir.display()
        ))
        .into())
    }

    fn other_device(&self, manifest: &Value) -> Option<String> {
        other_device(manifest["device"].as_str().unwrap_or_default(), &self.settings.config.device)
    }

    /// The checkpoint from which the run continues; none if it starts.
    fn checkpoint(&self, bars: &ProgressBars) -> Result<Option<RunCheckpoint>> {
        let Ok(run) = UnfinishedRun::read(&self.dir) else { return Ok(None) };
        let saved = if run.has_checkpoints() { RunCheckpoint::latest(&self.dir, &self.data)? } else { None };
        if saved.is_none() {
            bars.print_progress(&starts_again(&self.dir));
        }
        Ok(saved)
    }

    /// Makes the run and returns whether it finished, false after an interrupt signal. An unfinished run continues from
    /// its latest checkpoint; without one, its files are removed first. `prepare` gets the state of the checkpoint.
    ///
    /// # Errors
    /// Any error that stops the run, and files that cannot be written.
    pub fn make<S, R: TrainingResult>(
        &self,
        bars: &ProgressBars,
        mode: ProgressMode,
        prepare: impl FnOnce(Option<&State>) -> Result<S, RunError>,
        work: impl FnOnce(S, &mut dyn Observer) -> Result<R, RunError>,
    ) -> Result<bool> {
        let (settings, data, kind) = (&self.settings, &self.data, &self.kind);
        let facts = RunFacts { settings, data, kind, tensorboard: self.tensorboard.as_deref() };
        let saved = self.checkpoint(bars)?;
        let session = with_memory_advice(&settings.config, || prepare(saved.as_ref().map(|saved| &saved.state)));
        let (session, mut recorder) = match saved {
            Some(saved) => {
                let session = session.map_err(|error| saved.explain(error))?;
                (session, Recorder::resume(&self.dir, facts, &saved.position)?)
            }
            None => {
                // The files of an earlier run are removed only when this one can start.
                let session = session?;
                directory::prepare(&self.dir, self.tensorboard.as_deref())?;
                (session, Recorder::create(OutDir::Prepared(self.dir.clone()), facts)?)
            }
        };
        let mut progress = ProgressDisplay::labelled(format!("{} seed {}", self.label, self.seed), mode, bars);
        let mut observer = RecordThenShow { recorder: &mut recorder, progress: &mut progress };
        let outcome = with_memory_advice(&settings.config, || work(session, &mut observer));
        match outcome {
            Ok(result) => {
                let finished = !result.interrupted();
                recorder.finish(&result)?;
                Ok(finished)
            }
            Err(error) => {
                let error = error.context(format!("{} with seed {}", self.label, self.seed));
                recorder.fail(&error);
                Err(error)
            }
        }
    }
}
