//! Own trainings on the data of a table.

use crate::archive::{Archived, ArchivedRetrain};
use crate::exit::UsageError;
use crate::published::PublishedTable;
use crate::trainings::{TrainingGroup, add, seed_directories};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// The trainings in the given directories.
///
/// # Errors
/// A directory without a finished training, a training on other data than those of the table, or the same training
/// twice.
pub fn groups(table: PublishedTable, paths: &[PathBuf]) -> Result<Vec<TrainingGroup>> {
    let mut groups = Vec::new();
    for path in paths {
        for dir in trainings(path) {
            add(&mut groups, &path.display().to_string(), read(table, &dir)?)?;
        }
    }
    Ok(groups)
}

/// The directory itself, or the directories `seed-N` in it.
fn trainings(path: &Path) -> Vec<PathBuf> {
    match seed_directories(path) {
        Ok(found) if !found.is_empty() && !path.join("manifest.json").exists() => found,
        _ => vec![path.into()],
    }
}

fn read(table: PublishedTable, dir: &Path) -> Result<ArchivedRetrain> {
    let usage = |problem: &str| UsageError(format!("{} {problem}", dir.display()));
    let Archived::Retrain(run) = Archived::read_named(dir)? else {
        return Err(usage("holds no stand-alone training: expected a directory of `nas-train retrain`").into());
    };
    let (found, expected) = (&run.result.data, table.data());
    if found != expected {
        return Err(usage(&format!(
            "was trained on the data set {found}: this table takes trainings on {expected}, leave the directory out"
        ))
        .into());
    }
    match run.result.last {
        Some(_) => Ok(*run),
        None => Err(usage("was stopped: continue it with `nas-train resume`").into()),
    }
}
