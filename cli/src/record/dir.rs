//! The choice and creation of a run directory.

use crate::exit::UsageError;
use crate::files;
use crate::run_kind::RunKind;
use crate::text::shell_path;
use anyhow::{Context, Result};
use jiff::ZonedDateTime;
use nas_core::config::RunConfig;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The directory that a run will create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutDir {
    /// The directory of `--out`.
    Given(PathBuf),
    /// A new directory of this name below `runs`.
    New(String),
    /// An existing directory that holds no run. It may hold other files.
    Prepared(PathBuf),
}

impl OutDir {
    /// Chooses the directory without creating it.
    ///
    /// # Errors
    /// The directory of `--out` is not empty, or it is a file.
    pub fn plan(given: Option<&Path>, config: &RunConfig, kind: &RunKind) -> Result<Self> {
        match given {
            Some(path) => check_empty(path, &[]).map(|()| Self::Given(path.into())),
            None => {
                let time = ZonedDateTime::now().strftime("%Y%m%d-%H%M%S").to_string();
                let RunConfig { strategy, space, seed, .. } = config;
                let what = if kind.arch().is_some() { "retrain" } else { &strategy.name };
                Ok(Self::New(format!("{time}-{what}-{}-s{seed}", space.name)))
            }
        }
    }

    /// Creates the directory.
    ///
    /// # Errors
    /// The directory cannot be created, or is no longer empty since [`plan`](Self::plan).
    pub fn create(self) -> Result<PathBuf> {
        match self {
            Self::Given(path) => {
                make(&path)?;
                check_empty(&path, &[])?;
                Ok(path)
            }
            Self::New(name) => create_numbered(Path::new("runs"), &name),
            Self::Prepared(path) => Ok(path),
        }
    }
}

/// Creates a directory of this name; if it exists, one with a number. Runs of the same second need the numbers.
fn create_numbered(parent: &Path, name: &str) -> Result<PathBuf> {
    make(parent)?;
    let mut path = parent.join(name);
    for number in 2.. {
        match fs::create_dir(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => path = parent.join(format!("{name}-{number}")),
            made => {
                made.with_context(|| format!("cannot create the run directory {}", path.display()))?;
                break;
            }
        }
    }
    Ok(path)
}

fn make(path: &Path) -> Result<()> {
    let hint = "; choose another with --out DIR";
    fs::create_dir_all(path).with_context(|| format!("cannot create the run directory {}{hint}", path.display()))
}

/// Refuses a directory with other files than the known ones.
///
/// # Errors
/// The directory has other files, or it is a file.
pub fn check_empty(path: &Path, known: &[&str]) -> Result<()> {
    match files::has_others(path, known) {
        Ok(true) => Err(refused(path, "is not empty")),
        Err(error) if error.kind() == ErrorKind::NotADirectory && path.exists() => Err(refused(path, "is a file")),
        // Other problems appear when a file is created.
        Ok(false) | Err(_) => Ok(()),
    }
}

fn refused(path: &Path, problem: &str) -> anyhow::Error {
    let advice = match path.join("manifest.json").is_file() {
        true => format!(
            "`nas-train resume {}` continues an unfinished run; otherwise choose another --out DIR",
            shell_path(path)
        ),
        false => "choose a new or empty directory with --out DIR".into(),
    };
    UsageError(format!("the run directory {} {problem}; {advice}", path.display())).into()
}
