//! The attempts of an old plan whose runs a new plan makes with other settings.

use super::Plan;
use super::attempt::has_checkpoint;
use super::plan_entry::{PlanEntry, PlanHeader, PlannedWork};
use crate::exit::UsageError;
use crate::run_kind::RunKind;
use crate::settings::other_settings_of;
use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// Removes the attempts that the runs of a new plan cannot continue: the runs would prefer their checkpoints to their
/// own.
///
/// # Errors
/// An attempt has a checkpoint, so that work would be lost. Nothing is removed then.
pub fn remove_changed_attempts(old: &Plan, header: &PlanHeader, runs: &[PlanEntry]) -> Result<()> {
    let changed = changed(old, header, runs)?;
    if let Some((attempts, other)) = changed.iter().find(|(attempts, _)| has_checkpoint(attempts)) {
        let problem = format!("{} has unfinished attempts with another {other}", attempts.display());
        let remedy = "repeat the original command, choose another --out, or remove that directory";
        return Err(UsageError(format!("{problem}: {remedy}")).into());
    }
    let remove = |path: &PathBuf| fs::remove_dir_all(path).with_context(|| format!("cannot remove {}", path.display()));
    changed.iter().try_for_each(|(attempts, _)| remove(attempts))
}

/// The directories of attempts whose runs change, each with the first difference as text.
fn changed(old: &Plan, header: &PlanHeader, runs: &[PlanEntry]) -> Result<Vec<(PathBuf, String)>> {
    let of_plan = old.header.difference(header);
    let new: BTreeMap<&str, &PlanEntry> = runs.iter().map(|run| (run.name.as_str(), run)).collect();
    let mut changed = Vec::new();
    for (number, name) in old.names()?.iter().enumerate() {
        let attempts = old.dir.attempts(name);
        let Some(new) = new.get(name.as_str()).filter(|_| attempts.exists()) else { continue };
        let other = match &of_plan {
            Some(other) => Some(other.clone()),
            None => difference(&old.run(number)?, new)?,
        };
        changed.extend(other.map(|other| (attempts, other)));
    }
    Ok(changed)
}

/// The first difference of two runs of the same name, as text.
fn difference(old: &PlanEntry, new: &PlanEntry) -> Result<Option<String>> {
    let kind = |work: &PlannedWork| match work {
        PlannedWork::Directory(kind) => kind.clone(),
        PlannedWork::Row(arch) => RunKind::Retrain(arch.clone()),
    };
    if let Some(other) = kind(&old.work).difference(&kind(&new.work)) {
        return Ok(Some(other));
    }
    if old.truth != new.truth {
        return Ok(Some("content of the truth table".into()));
    }
    let config = |entry: &PlanEntry| RunConfig::from_table(&entry.config);
    other_settings_of(&kind(&new.work), &config(old)?, &config(new)?)
}
