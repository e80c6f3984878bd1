//! The trainings that the directory of `--out` has from an earlier command.

use crate::archive::{self, Archived, ArchivedRetrain};
use crate::data::LoadedData;
use crate::exit::UsageError;
use crate::resume::killed_at_start;
use crate::run_kind::RunKind;
use crate::settings::{Settings, other_run};
use crate::signal::cancel;
use crate::trainings::seed_directories;
use anyhow::{Context, Error, Result};
use nas_core::config::RunConfig;
use std::path::{Path, PathBuf};

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
    if let Some(other) = other_run((&kind, &old), (&RunKind::Retrain(arch.into()), &settings.config))? {
        return Err(refusal(dir, &other));
    }
    // An unfinished training compares the content of the data when it continues.
    if !is_finished {
        return Ok(None);
    }
    match Archived::read_named(dir).context("remove the directory, or choose another --out")? {
        Archived::Retrain(run) => Ok(Some(*run)),
        _ => Ok(None),
    }
}

/// Checks that the trainings in these directories use the data of the settings. The data are read only if a training is
/// to be made, or if a finished one names another directory of the data.
///
/// # Errors
/// A training with other data, and data that cannot be read.
pub fn check_data(dirs: &[&Path], settings: &Settings) -> Result<()> {
    let (mut manifests, mut has_other_directory) = (Vec::new(), false);
    for dir in dirs.iter().filter(|dir| dir.join("manifest.json").exists()) {
        let manifest = archive::manifest(dir).with_context(|| dir.display().to_string())?;
        has_other_directory |= data_dir(&archive::config(dir)?)? != data_dir(&settings.config)?;
        manifests.push((dir, manifest));
    }
    let is_complete = manifests.len() == dirs.len() && manifests.iter().all(|(_, old)| old["status"] == "finished");
    if manifests.is_empty() || (is_complete && !has_other_directory) {
        return Ok(());
    }
    let data = LoadedData::read(settings, cancel()?, |_| ())?.identity;
    let mut differences = manifests.iter().filter_map(|(dir, manifest)| Some((dir, data.difference(manifest)?)));
    differences.next().map_or(Ok(()), |(dir, other)| Err(refusal(dir, &other)))
}

fn data_dir(config: &RunConfig) -> Result<Option<PathBuf>> {
    Ok(config.data.dir.as_deref().map(std::path::absolute).transpose()?)
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
