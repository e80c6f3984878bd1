//! Rows of own trainings: results of `nas-train retrain`.

use super::rows::{ComputedSize, NetworkRow, Origin};
use crate::archive::{Archived, ArchivedRetrain};
use crate::exit::UsageError;
use crate::published::{PublishedRow, PublishedTable};
use crate::settings::other_settings;
use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use nas_core::metrics::Summary;
use nas_core::result::TestFigures;
use std::fs;
use std::path::{Path, PathBuf};

/// Trainings that differ in their seeds only, at least one.
struct Group {
    /// The directory of the first one, as the user named it.
    name: String,
    runs: Vec<ArchivedRetrain>,
}

/// One row for each group of trainings that differ in their seeds only.
///
/// # Errors
/// A directory without a finished training, or a training on other data than those of the table.
pub fn measured(table: PublishedTable, paths: &[PathBuf]) -> Result<Vec<NetworkRow>> {
    let mut groups: Vec<Group> = Vec::new();
    for path in paths {
        for dir in trainings(path)? {
            let run = read(table, &dir)?;
            match position(&groups, &run)? {
                Some(at) => groups[at].runs.push(run),
                None => groups.push(Group { name: path.display().to_string(), runs: vec![run] }),
            }
        }
    }
    groups.iter().map(row).collect()
}

/// The directory itself, or the directories `seed-N` in it.
fn trainings(path: &Path) -> Result<Vec<PathBuf>> {
    if path.join("manifest.json").exists() {
        return Ok(vec![path.into()]);
    }
    let entries = fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut found = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let is_seed = |dir: &PathBuf| dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with("seed-"));
    found.retain(|dir| is_seed(dir) && dir.join("manifest.json").exists());
    found.sort();
    match found.is_empty() {
        false => Ok(found),
        true => {
            Err(UsageError(format!("{} holds no training: expected a directory of `retrain`", path.display())).into())
        }
    }
}

fn read(table: PublishedTable, dir: &Path) -> Result<ArchivedRetrain> {
    let usage = |problem: &str| UsageError(format!("{} {problem}", dir.display()));
    let Archived::Retrain(run) = Archived::read(dir).with_context(|| dir.display().to_string())? else {
        return Err(usage("holds no stand-alone training: expected a directory of `nas-train retrain`").into());
    };
    let (found, expected) = (&run.result.data, table.data());
    if found != expected {
        return Err(usage(&format!("was trained on {found}: the table is about {expected}")).into());
    }
    match run.result.last {
        Some(_) => Ok(*run),
        None => Err(usage("was stopped: continue it with `nas-train resume`").into()),
    }
}

/// The group to which a training belongs.
fn position(groups: &[Group], run: &ArchivedRetrain) -> Result<Option<usize>> {
    let without_seed = |run: &ArchivedRetrain| RunConfig { seed: 0, ..run.config.clone() };
    for (at, group) in groups.iter().enumerate() {
        let first = &group.runs[0];
        let same = first.result.arch == run.result.arch && first.manifest["data"] == run.manifest["data"];
        if same && other_settings(&without_seed(first), &without_seed(run))?.is_none() {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn row(group: &Group) -> Result<NetworkRow> {
    let of = |value: fn(&TestFigures) -> f64| -> Result<Summary> {
        let values: Vec<f64> = group.runs.iter().filter_map(|run| run.result.last.as_ref().map(value)).collect();
        Ok(Summary::of(&values)?)
    };
    let (accuracy, top5) = (of(|last| last.accuracy)?, of(|last| last.top5_accuracy)?);
    let first = &group.runs[0].result;
    let million = |count: u64| format!("{:.2}", count as f64 / 1e6);
    let row = PublishedRow {
        method: group.name.clone(),
        kind: "retrained".into(),
        accuracy: format!("{:.2}", accuracy.mean),
        deviation: accuracy.std.map_or_else(String::new, |std| format!("{std:.2}")),
        top5_accuracy: format!("{:.2}", top5.mean),
        source: "this program".into(),
        comment: format!(
            "architecture {}, {} epochs, evaluated on {} {} images",
            first.arch, first.epochs, first.eval_images, first.evaluated_on
        ),
        ..PublishedRow::default()
    };
    let computed = Some(ComputedSize { params_m: million(first.params), macs_m: million(first.macs) });
    Ok(NetworkRow { row, origin: Origin::Measured, computed, trainings: group.runs.len().to_string() })
}
