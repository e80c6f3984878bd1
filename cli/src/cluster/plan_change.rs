//! Attempts that the runs of a new plan cannot continue, because they were made with other settings.

use super::ClusterDir;
use super::attempt::{attempts, holds_work};
use super::plan_entry::{PlanEntry, PlanHeader, PlannedWork};
use crate::archive;
use crate::exit::UsageError;
use crate::run_kind::RunKind;
use crate::settings::{other_device, other_run};
use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use std::fs;
use std::path::{Path, PathBuf};

/// Removes attempts that the runs of a plan cannot continue: the runs would prefer their checkpoints to their own.
///
/// # Errors
/// Such an attempt has a checkpoint or is finished, so that work would be lost. Nothing is removed then.
pub fn remove_changed_attempts(dir: &ClusterDir, header: &PlanHeader, runs: &[PlanEntry]) -> Result<()> {
    let changed = changed(dir, header, runs)?;
    if let Some((attempt, other)) = changed.iter().find(|(attempt, _)| holds_work(attempt)) {
        let problem = format!("{} is an unfinished attempt with another {other}", attempt.display());
        let remedy = "repeat the original command, choose another --out, or remove that directory";
        return Err(UsageError(format!("{problem}: {remedy}")).into());
    }
    let remove = |path: &PathBuf| fs::remove_dir_all(path).with_context(|| format!("cannot remove {}", path.display()));
    changed.iter().try_for_each(|(attempt, _)| remove(attempt))
}

/// The attempts with other settings than the plan, each with the first difference as text.
fn changed(dir: &ClusterDir, header: &PlanHeader, runs: &[PlanEntry]) -> Result<Vec<(PathBuf, String)>> {
    let mut changed = Vec::new();
    for run in runs {
        // The name of a row has the hash of its settings.
        let PlannedWork::Directory(kind) = &run.work else { continue };
        for attempt in attempts(dir, &run.name) {
            let other = difference(&attempt, header, kind, run);
            let other = other.with_context(|| attempt.display().to_string())?;
            changed.extend(other.map(|other| (attempt, other)));
        }
    }
    Ok(changed)
}

/// The first difference of an attempt to the run of a plan, as text; none if it was ended before it wrote its settings.
fn difference(attempt: &Path, header: &PlanHeader, kind: &RunKind, run: &PlanEntry) -> Result<Option<String>> {
    if !attempt.join("manifest.json").exists() {
        return Ok(None);
    }
    let manifest = archive::manifest(attempt)?;
    let (old, new) = (manifest["version"].as_str().unwrap_or("unknown"), &header.version);
    if old != new {
        return Ok(Some(format!("version of nas-train ({old}, now {new})")));
    }
    let other = header.data.difference(&manifest);
    if other.is_some() || !(attempt.join("config.toml").exists() || archive::is_packed(attempt)) {
        return Ok(other);
    }
    let (old, new) = (archive::config(attempt)?, RunConfig::from_table(&run.config)?);
    Ok(other_run((&RunKind::of(&manifest), &old), (kind, &new))?.or_else(|| other_device(&old.device, &new.device)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataIdentity;
    use nas_core::result::SCHEMA;
    use serde_json::json;
    use toml::Table;

    fn run(config: &str) -> PlanEntry {
        let config: Table = config.parse().unwrap();
        let work = PlannedWork::Directory(RunKind::Supernet);
        PlanEntry { name: "runs/plain-s1".into(), label: "plain".into(), seed: 1, work, truth: None, config }
    }

    #[test]
    fn attempts_with_other_settings_are_removed_unless_work_would_be_lost() {
        const OLD: &str = "seed = 1\n[train]\nlr = 0.025";
        let temporary = tempfile::tempdir().unwrap();
        let dir = ClusterDir::of(temporary.path());
        let header = PlanHeader::of_this_command(1, &DataIdentity::default()).unwrap();
        let attempt = dir.attempts("runs/plain-s1").join("n1");
        let make = |checkpoint: bool| {
            fs::create_dir_all(attempt.join("checkpoints")).unwrap();
            let manifest = json!({"schema": SCHEMA, "version": header.version, "data": header.data});
            fs::write(attempt.join("manifest.json"), manifest.to_string()).unwrap();
            fs::write(attempt.join("config.toml"), OLD).unwrap();
            if checkpoint {
                fs::create_dir(attempt.join("checkpoints/5")).unwrap();
            }
        };
        let check = |header: &PlanHeader, config: &str| remove_changed_attempts(&dir, header, &[run(config)]);
        let other_version = PlanHeader { version: "0.0.1".into(), ..header.clone() };
        let other_data = DataIdentity { name: "digits".into(), ..DataIdentity::default() };
        let other_data = PlanHeader { data: other_data, ..header.clone() };
        let cases = [
            (&header, "seed = 1\n[train]\nlr = 0.5", "another train.lr (0.025, now 0.5)"),
            (&header, "seed = 1\ndevice = 'cuda:0'\n[train]\nlr = 0.025", "another device (cpu, now cuda:0)"),
            (&other_version, OLD, "another version of nas-train"),
            (&other_data, OLD, "another data set ("),
        ];
        for (header, config, words) in cases {
            make(true);
            let refusal = check(header, config).unwrap_err().to_string();
            assert!(refusal.contains(words) && attempt.join("checkpoints/5").exists(), "{refusal}");
            fs::remove_dir(attempt.join("checkpoints/5")).unwrap();
            check(header, config).unwrap();
            assert!(!attempt.exists(), "{words}");
        }
        make(true);
        for same in [OLD, "seed = 1\nthreads = 2\n[train]\nlr = 0.025\n[save]\ncheckpoint_every = '3'"] {
            check(&header, same).unwrap();
            assert!(attempt.exists(), "{same}");
        }
    }
}
