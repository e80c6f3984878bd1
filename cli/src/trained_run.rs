//! A run directory with weights, for evaluations and searches.

use crate::archive::{self, Incomplete};
use crate::args::DataDirArg;
use crate::data::{DataIdentity, LoadedData};
use crate::exit::UsageError;
use crate::plugin_build::other_build;
use crate::record::{BEST_WEIGHTS, WEIGHTS};
use crate::run_kind::RunKind;
use crate::settings::{Settings, check_effects};
use anyhow::{Context, Result};
use nas_core::checkpoint::{CheckpointError, weights};
use nas_core::config::{BnMode, RunConfig};
use nas_core::registry::TrainingDevice;
use nas_core::sha256;
use nas_core::trainer::{EvalImages, Session};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::atomic::AtomicBool;

/// A run whose training is complete, with its configuration.
pub struct TrainedRun {
    dir: PathBuf,
    /// The configuration of the run.
    pub settings: Settings,
    manifest: Value,
}

impl TrainedRun {
    /// Reads the configuration of a run directory, and then `assignments` and the folder of the data, which take
    /// precedence.
    ///
    /// # Errors
    /// A directory without a run or without weights, weights that differ from those that the run wrote, and another
    /// build of its plugin.
    pub fn read(dir: &Path, assignments: &[String], data: &DataDirArg) -> Result<Self> {
        let manifest = archive::manifest(dir).with_context(|| dir.display().to_string())?;
        if let RunKind::Retrain(arch) = RunKind::of(&manifest) {
            let problem = "expected a run of a supernet, found the stand-alone training of";
            return Err(UsageError(format!("{}: {problem} {arch}", dir.display())).into());
        }
        weights_of(dir, WEIGHTS, &manifest)?;
        let settings = Settings::of_run(dir, assignments, data)?;
        check_effects(slice::from_ref(&settings))?;
        if let Some(other) = other_build(&settings.config.strategy.name, &manifest) {
            return Err(
                UsageError(format!("{} was trained with another {other}: use the original", dir.display())).into()
            );
        }
        Ok(Self { dir: dir.into(), settings, manifest })
    }

    /// Reads the data set, which must be that of the run.
    ///
    /// # Errors
    /// Data that cannot be read, or other data.
    pub fn data(&self, cancel: &AtomicBool, print: impl FnOnce(&str)) -> Result<LoadedData> {
        let data = LoadedData::read(&self.settings, cancel, print)?;
        match DataIdentity::of(&self.manifest) {
            Some(of_run) if of_run != data.identity => {
                let problem = format!("{} was trained on {of_run}, the data are {}", self.dir.display(), data.identity);
                Err(UsageError(format!("{problem}: use the original data")).into())
            }
            _ => Ok(data),
        }
    }

    /// A session with the weights of the run, without a truth table.
    ///
    /// # Errors
    /// Weights that are damaged or belong to another network, and a data set without test images.
    pub fn session<D: TrainingDevice>(&self, data: &LoadedData, device: &D, images: EvalImages) -> Result<Session<D>> {
        let mut config = self.settings.config.clone();
        config.truth.samples = "0".into();
        self.session_with(&config, data, device, images)
    }

    /// As [`session`](Self::session), with the truth table of the configuration.
    ///
    /// # Errors
    /// As `session`; a truth table that cannot be read, no table, or a comparison of 0 architectures.
    pub fn ranking_session<D: TrainingDevice>(
        &self,
        data: &LoadedData,
        device: &D,
        images: EvalImages,
    ) -> Result<Session<D>> {
        let config = &self.settings.config;
        let session = self.session_with(config, data, device, images)?;
        let remedy = match session.truth_sha256() {
            Some(_) => return Ok(session),
            None if config.truth.samples == "0" => "truth.samples is 0: choose a number with --set truth.samples=N",
            None => "the space has no truth table: name a CSV file with --set truth.table=FILE.csv",
        };
        Err(UsageError(format!("{} cannot be compared with stand-alone accuracies; {remedy}", self.dir.display()))
            .into())
    }

    fn session_with<D: TrainingDevice>(
        &self,
        config: &RunConfig,
        data: &LoadedData,
        device: &D,
        images: EvalImages,
    ) -> Result<Session<D>> {
        let session = Session::for_evaluation(config, data.dataset.clone(), device, images);
        let session = session.map_err(|error| self.settings.explain(error.into()))?;
        let (model, _) = weights::read(&self.dir.join(WEIGHTS), session.spec())?;
        // The state of a model without running statistics has no counts of batches.
        if config.eval.bn == BnMode::Running && model.values.is_empty() {
            let problem = "has no running averages of batch-norm statistics: use --set eval.bn=recalibrate";
            return Err(UsageError(format!("{} {problem}", self.dir.display())).into());
        }
        Ok(session.with_weights(&model)?)
    }
}

/// Checks the initial weights of `train.init`, if there are any, against their hash in the manifest of their run.
///
/// # Errors
/// See [`weights_of`]; a directory without a run.
pub fn check_initial_weights(settings: &Settings) -> Result<()> {
    let Some(dir) = &settings.config.train.init else { return Ok(()) };
    let manifest = archive::manifest(dir).with_context(|| dir.display().to_string());
    let checked = manifest.and_then(|manifest| weights_of(dir, WEIGHTS, &manifest));
    checked.map(drop).with_context(|| settings.origin("train.init").to_string())
}

/// The content of a file with weights of a run, which may be packed. Compares it with its hash in the manifest, which
/// runs have that ended without an error.
///
/// # Errors
/// The file does not exist, or differs from the one that the run wrote.
pub fn weights_of(dir: &Path, name: &str, manifest: &Value) -> Result<Vec<u8>> {
    let path = dir.join(name);
    let content = if path.exists() { Some(weights::read_bytes(&path)?) } else { archive::packed_bytes(dir, name)? };
    let Some(content) = content else {
        if manifest["files"].get(name).is_some() {
            return Err(anyhow::Error::from(Incomplete::Missing(name.into())).context(dir.display().to_string()));
        }
        let remedy = match name {
            BEST_WEIGHTS => "repeat the training without --no-weights, and with retrain.eval_every above 0",
            _ => "resume the run (`nas-train resume RUN`), or repeat it without --no-weights",
        };
        return Err(UsageError(format!("{} has no {name}: {remedy}", dir.display())).into());
    };
    match manifest["files"][name]["sha256"].as_str() {
        Some(written) if sha256::of(&content) != written => {
            let problem = "its checksum is not the one in manifest.json: restore the file, or repeat the run";
            Err(CheckpointError::Content { path, problem: problem.into() }.into())
        }
        _ => Ok(content),
    }
}
