//! The latest checkpoint of an unfinished run, and the checks that this process may continue from it.

use crate::archive::{self, Incomplete};
use crate::args::{DataDirArg, ResumeArgs};
use crate::data::DataIdentity;
use crate::exit::{UsageError, chained};
use crate::record::{CHECKPOINTS, RECORD, RecordPosition};
use crate::run_kind::RunKind;
use crate::settings::{Settings, other_run};
use crate::text::{eprint_line, shell_path};
use anyhow::{Context, Error, Result};
use nas_core::checkpoint::Checkpoints;
use nas_core::config::RunConfig;
use nas_core::state::State;
use nas_core::strategy::StrategyError;
use nas_core::trainer::RunError;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A run at a checkpoint.
#[derive(Debug)]
pub struct RunCheckpoint {
    /// The state of the session.
    pub state: State,
    /// Training position, and length and digest of each file of the run.
    pub position: RecordPosition,
    /// The directory of the checkpoints.
    checkpoints: PathBuf,
}

impl RunCheckpoint {
    /// Reads the latest undamaged checkpoint of a run directory; none if it has none. Prints a warning for a damaged
    /// one.
    ///
    /// # Errors
    /// The directory cannot be read, or the checkpoint comes from another version, other data or another build of a
    /// plugin.
    pub fn latest(dir: &Path, data: &DataIdentity) -> Result<Option<Self>> {
        let checkpoints = dir.join(CHECKPOINTS);
        let latest = Checkpoints::at(&checkpoints).latest()?;
        for error in latest.damaged {
            eprint_line(&format!("warning: skipped a damaged checkpoint: {}", chained(&error.into())));
        }
        let Some(checkpoint) = latest.checkpoint else { return Ok(None) };
        let notes = Value::Object(checkpoint.notes);
        check(dir, &notes, data)?;
        let position = serde_json::from_value(notes[RECORD].clone());
        let position = position.map_err(|error| UsageError(format!("{}: checkpoint: {error}", dir.display())))?;
        Ok(Some(Self { state: checkpoint.state, position, checkpoints }))
    }

    /// As [`latest`](Self::latest), for a run that starts again without a checkpoint.
    ///
    /// # Errors
    /// Also other data than those of the run, whose files would be replaced.
    pub fn latest_or_start(dir: &Path, data: &DataIdentity) -> Result<Option<Self>> {
        let latest = Self::latest(dir, data)?;
        if latest.is_none()
            && let Some(other) = data.difference(&archive::manifest(dir)?)
        {
            return Err(started_with_another(dir, &other).into());
        }
        Ok(latest)
    }

    /// Adds the directory and the remedy to the error of a session that cannot continue from this state. The files of
    /// the run are not the cause of a setting that it cannot continue with.
    pub fn explain(&self, error: Error) -> Error {
        let cause = error.downcast_ref();
        if let Some(RunError::Config(_) | RunError::Strategy { source: StrategyError::Option { .. }, .. }) = cause {
            return error;
        }
        let remedy = "restore the files of the run, or run it again into another --out";
        error
            .context(format!("cannot continue from the latest checkpoint in {} ({remedy})", self.checkpoints.display()))
    }
}

/// A run directory whose run may continue.
#[derive(Debug)]
pub struct UnfinishedRun {
    /// The run directory.
    pub dir: PathBuf,
    /// The content of `manifest.json`.
    pub manifest: Value,
}

impl UnfinishedRun {
    /// Reads the manifest of a run that is not finished.
    ///
    /// # Errors
    /// A directory without a run, or with a finished one.
    pub fn read(dir: &Path) -> Result<Self> {
        let run = Self::read_any(dir)?;
        if run.is_finished() {
            return Err(UsageError(format!("the run in {} is finished", dir.display())).into());
        }
        Ok(run)
    }

    /// Reads the manifest of the run that `nas-train resume` names. A finished run can be made longer.
    ///
    /// # Errors
    /// A directory without a run, a finished run without `--epochs`, and a sequence with it.
    pub fn to_resume(args: &ResumeArgs) -> Result<Self> {
        let run = Self::read_any(&args.run)?;
        let dir = args.run.display();
        match (run.is_finished(), args.epochs, run.kind()) {
            (_, Some(_), RunKind::Sequence(_) | RunKind::Retrain(_)) => {
                let problem =
                    format!("{dir} is not a run of a supernet, so it cannot be made longer: leave --epochs out");
                Err(UsageError(problem).into())
            }
            (true, Some(_), _) if archive::is_packed(&run.dir) => {
                let problem = format!("is packed ({}), so it has no checkpoint to continue from", archive::ARCHIVE);
                Err(UsageError(format!("the run in {dir} {problem}: run it again with more --epochs")).into())
            }
            (true, None, RunKind::Sequence(_) | RunKind::Retrain(_)) => {
                let report = format!("`nas-train report {}` shows it", shell_path(&run.dir));
                Err(UsageError(format!("the training in {dir} is finished, so there is nothing to resume; {report}"))
                    .into())
            }
            (true, None, _) if archive::is_packed(&run.dir) => {
                Err(UsageError(format!("the run in {dir} is finished and packed, so there is nothing to resume"))
                    .into())
            }
            (true, None, _) => {
                Err(UsageError(format!("the run in {dir} is finished; `--epochs N` makes it longer")).into())
            }
            (true, Some(_), _) if run.was_killed_at_start() => {
                Err(Incomplete::Missing("config.toml".into())).context(dir.to_string())
            }
            _ if run.was_killed_at_start() => Err(killed_at_start(&run.dir).into()),
            _ => Ok(run),
        }
    }

    fn read_any(dir: &Path) -> Result<Self> {
        let manifest = archive::manifest(dir).with_context(|| dir.display().to_string())?;
        Ok(Self { dir: dir.into(), manifest })
    }

    /// Whether the run was killed before it wrote its configuration.
    pub fn was_killed_at_start(&self) -> bool {
        !self.dir.join("config.toml").exists()
    }

    /// Whether there may be a checkpoint to continue from.
    pub fn has_checkpoints(&self) -> bool {
        !self.was_killed_at_start() && self.dir.join(CHECKPOINTS).exists()
    }

    fn is_finished(&self) -> bool {
        self.manifest["status"] == "finished"
    }

    /// What the run trains.
    pub fn kind(&self) -> RunKind {
        RunKind::of(&self.manifest)
    }

    /// The directory of the TensorBoard event file, if the run writes one.
    pub fn tensorboard(&self) -> Option<PathBuf> {
        self.manifest["tensorboard_dir"].as_str().map(PathBuf::from)
    }

    /// The configuration of the run, with the changes of `nas-train resume`.
    ///
    /// # Errors
    /// A configuration that cannot be read, and fewer epochs than the run had.
    pub fn settings(&self, args: &ResumeArgs) -> Result<Settings> {
        let config = Settings::of_run(&self.dir, &[], &DataDirArg::default())?.config;
        let old = config.train.epochs;
        if let Some(epochs) = args.epochs.filter(|epochs| *epochs <= old as i64) {
            let problem = format!("--epochs: expected more than {old}, the epochs of the run, found {epochs}");
            return Err(UsageError(problem).into());
        }
        // The default depends on the number of epochs, which must not change what has been trained.
        let start = args.epochs.map(|_| config.controller_start() as i64);
        let assign = |key: &str, value: Option<i64>| value.map(|value| format!("{key}={value}"));
        let changes: Vec<String> =
            [assign("train.epochs", args.epochs), assign("search.start", start), assign("threads", args.threads)]
                .into_iter()
                .flatten()
                .collect();
        Settings::of_run(&self.dir, &changes, &args.data)
    }

    /// The first difference of the run to a kind and a configuration, as text.
    ///
    /// # Errors
    /// A configuration that cannot be read.
    pub fn difference(&self, kind: &RunKind, config: &RunConfig) -> Result<Option<String>> {
        let old = Settings::of_run(&self.dir, &[], &DataDirArg::default())?.config;
        other_run((&self.kind(), &old), (kind, config))
    }
}

/// The line that informs about a run without a checkpoint.
pub fn starts_again(dir: &Path) -> String {
    format!("{} has no undamaged checkpoint, so the run starts again", dir.display())
}

/// The error of an unfinished run without a configuration.
pub fn killed_at_start(dir: &Path) -> UsageError {
    let problem = "was killed before it wrote config.toml, so there is nothing to resume";
    let dir = dir.display();
    UsageError(format!("the run in {dir} {problem}: remove {dir} and start the run again"))
}

fn started_with_another(dir: &Path, what: &str) -> UsageError {
    let remedy = "resume with the original, or run it again into another --out";
    UsageError(format!("{} was started with another {what}: {remedy}", dir.display()))
}

/// Compares the identity of the program, the data and the plugins with that in a checkpoint.
fn check(dir: &Path, notes: &Value, data: &DataIdentity) -> Result<()> {
    let refuse = |what: String| Err(started_with_another(dir, &what).into());
    let version = env!("CARGO_PKG_VERSION");
    if notes["version"] != version {
        let old = notes["version"].as_str().unwrap_or("unknown");
        return refuse(format!("version of nas-train ({old}, now {version})"));
    }
    if let Some(other) = data.difference(notes) {
        return refuse(other);
    }
    for (strategy, sha256) in notes["plugins"].as_object().into_iter().flatten() {
        let old = sha256.as_str().unwrap_or_default();
        let now = match nas_plugin_host::origin(strategy) {
            Some(plugin) if plugin.sha256 == old => continue,
            Some(plugin) => format!("now {} has {}", plugin.path.display(), plugin.sha256),
            None => "now no plugin has it".into(),
        };
        return refuse(format!("build of the plugin with the strategy {strategy} (SHA-256 {old}, {now})"));
    }
    Ok(())
}
