//! Where a run writes.

use crate::exit::UsageError;
use anyhow::{Context, Result};
use jiff::ZonedDateTime;
use nas_core::config::RunConfig;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A directory that a run will make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutDir {
    /// The one that the user asked for.
    Given(PathBuf),
    /// One of its own below `runs`, by this name.
    Fresh(String),
}

impl OutDir {
    /// Decides on the directory, and touches nothing.
    ///
    /// # Errors
    /// The directory asked for exists and is not empty, or is a file.
    pub fn plan(given: Option<&Path>, config: &RunConfig) -> Result<Self> {
        match given {
            Some(path) => check_empty(path).map(|()| Self::Given(path.into())),
            None => {
                let time = ZonedDateTime::now().strftime("%Y%m%d-%H%M%S").to_string();
                let RunConfig { strategy, space, seed, .. } = config;
                Ok(Self::Fresh(format!("{time}-{}-{}-s{seed}", strategy.name, space.name)))
            }
        }
    }

    /// Makes the directory.
    ///
    /// # Errors
    /// A directory that cannot be made, or that something was written to since [`plan`](Self::plan).
    pub fn create(self) -> Result<PathBuf> {
        match self {
            Self::Given(path) => {
                make(&path)?;
                check_empty(&path)?;
                Ok(path)
            }
            Self::Fresh(name) => fresh(Path::new("runs"), &name),
        }
    }
}

/// A directory of this name that nobody else uses; runs that start in the same second get numbers.
fn fresh(parent: &Path, name: &str) -> Result<PathBuf> {
    make(parent)?;
    let mut path = parent.join(name);
    for number in 2.. {
        match fs::create_dir(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => path = parent.join(format!("{name}-{number}")),
            made => {
                made.with_context(|| format!("cannot make the run directory {}", path.display()))?;
                break;
            }
        }
    }
    Ok(path)
}

fn make(path: &Path) -> Result<()> {
    let hint = "; choose a place that can be written with --out DIR";
    fs::create_dir_all(path).with_context(|| format!("cannot make the run directory {}{hint}", path.display()))
}

fn check_empty(path: &Path) -> Result<()> {
    match fs::read_dir(path).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(refused(path, "is not empty")),
        Err(error) if error.kind() == ErrorKind::NotADirectory && path.exists() => Err(refused(path, "is a file")),
        // Missing is fine; what else is wrong shows when it is made.
        Err(_) => Ok(()),
    }
}

fn refused(path: &Path, problem: &str) -> anyhow::Error {
    let advice = "nothing is overwritten: choose another --out DIR or remove it";
    UsageError(format!("the run directory {} {problem}; {advice}", path.display())).into()
}
