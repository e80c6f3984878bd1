//! The trainings that the directory of `--out` has from an earlier command.

use crate::archive::{self, Archived, ArchivedRetrain};
use crate::data::{DataIdentity, LoadedData};
use crate::exit::UsageError;
use crate::resume::killed_at_start;
use crate::run_kind::RunKind;
use crate::settings::{Settings, other_settings_of_training};
use crate::signal::cancel;
use crate::trainings::seed_directories;
use anyhow::{Context, Error, Result};
use nas_core::config::RunConfig;
use std::path::Path;

/// The finished training in a directory. None if the directory has no run, or an unfinished training with these
/// settings, which continues.
///
/// # Errors
/// A training with other settings, a run of another kind, or a finished training with damaged files.
pub fn finished(dir: &Path, settings: &Settings, arch: &str) -> Result<Option<ArchivedRetrain>> {
    let path = dir.display();
    if !dir.join("manifest.json").exists() {
        return Ok(None);
    }
    let manifest = archive::manifest(dir).with_context(|| path.to_string())?;
    let is_finished = manifest["status"] == "finished";
    let kind = RunKind::of(&manifest);
    if kind.arch().is_none() {
        let problem = "is the directory of a run with shared weights, not of a stand-alone training";
        return Err(UsageError(format!("{path} {problem}: choose another --out")).into());
    }
    if !is_finished && !dir.join("config.toml").exists() {
        return Err(killed_at_start(dir).into());
    }
    let old = archive::config(dir).with_context(|| path.to_string())?;
    let other = match kind.difference(&RunKind::Retrain(arch.into())) {
        None => other_settings_of_training(&old, &settings.config)?,
        other => other,
    };
    if let Some(other) = other {
        return Err(refusal(dir, &other));
    }
    // An unfinished training compares the content of the data when it continues.
    if !is_finished {
        return Ok(None);
    }
    let Archived::Retrain(run) = Archived::read_named(dir).context("remove the directory, or choose another --out")?
    else {
        return Ok(None);
    };
    if has_moved(&run.config, &settings.config)? {
        check_data(&run, &LoadedData::read(settings, cancel()?, |_| ())?.identity)?;
    }
    Ok(Some(*run))
}

/// Whether the data are in another directory.
fn has_moved(old: &RunConfig, new: &RunConfig) -> Result<bool> {
    let data_dir = |config: &RunConfig| config.data.dir.as_deref().map(std::path::absolute).transpose();
    Ok(data_dir(old)? != data_dir(new)?)
}

/// Checks that a finished training used these data.
///
/// # Errors
/// It used others.
pub fn check_data(run: &ArchivedRetrain, data: &DataIdentity) -> Result<()> {
    data.difference(&run.manifest).map_or(Ok(()), |other| Err(refusal(&run.path, &other)))
}

fn refusal(dir: &Path, other: &str) -> Error {
    let problem = format!("{} holds a training with another {other}", dir.display());
    UsageError(format!("{problem}: choose another --out, or repeat the original command")).into()
}

/// Refuses a directory of one run for several trainings, and a directory of several trainings for one.
///
/// # Errors
/// The message has the remedy.
pub fn check_layout(out: &Path, several: bool) -> Result<(), UsageError> {
    let path = out.display();
    let is_run = out.join("manifest.json").exists();
    if several && is_run {
        let problem = "is the directory of a single run: choose another --out, or leave --seeds out";
        return Err(UsageError(format!("{path} {problem}")));
    }
    if !several && !is_run && seed_directories(out).is_ok_and(|found| !found.is_empty()) {
        let problem = "has trainings with several seeds: choose another --out, or give --seeds N";
        return Err(UsageError(format!("{path} {problem}")));
    }
    Ok(())
}
