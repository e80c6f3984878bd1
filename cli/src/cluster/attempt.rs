//! Attempts of a run: each writes a directory of its own, and a finished one becomes the run directory.

use super::ClusterDir;
use super::environment::{attempt_name, is_earlier};
use crate::archive;
use crate::exit::ExitStatus;
use crate::files::{self, is_listed};
use crate::machine::{host, unique};
use crate::planned_run::directory;
use crate::record::{CHECKPOINTS, check_unused};
use anyhow::{Context, Result};
use nas_core::checkpoint::Checkpoints;
use nas_core::durable;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The file of a failed attempt.
const FAILURE: &str = "failure.json";
/// The end of the name of a directory whose copy is not complete.
const PARTIAL: &str = ".partial";
/// The beginning of the name of an attempt that a run without a cluster has left in the run directory. Names of other
/// attempts have no dot: [`unique`] replaces those of the host.
const EARLIER: &str = "local.";

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Exit code of the program.
    pub code: u8,
    /// The message.
    pub message: String,
    /// The machine.
    pub host: String,
}

/// The directory of one attempt of a run.
#[derive(Debug)]
pub struct Attempt {
    /// The directory in which the run is made.
    pub dir: PathBuf,
    /// The run directory, or the file of the row.
    published: PathBuf,
    /// The directory of all attempts of the run.
    parent: PathBuf,
}

impl Attempt {
    /// Starts an attempt of a run: with a copy of the earlier attempt with the most steps in a checkpoint, or with an
    /// empty directory. Another process may still write to the earlier one. None if the run is finished.
    ///
    /// # Errors
    /// A directory cannot be read or written.
    pub fn start(plan: &ClusterDir, name: &str) -> Result<Option<Self>> {
        let (published, parent) = (plan.published(name), plan.attempts(name));
        if is_listed(&published) {
            return Ok(None);
        }
        let dir = parent.join(attempt_name());
        let partial = dir.with_file_name(format!("{}{PARTIAL}", dir.file_name().unwrap_or_default().to_string_lossy()));
        let made = || -> io::Result<()> {
            let earlier = earlier_attempts(&parent);
            fs::create_dir_all(&partial)?;
            // A finished attempt whose publication failed comes first.
            let progress = |dir: &PathBuf| (archive::is_finished(dir), last_checkpoint(dir));
            let with_progress = earlier.iter().map(|dir| (progress(dir), dir));
            let useful = with_progress.filter(|(progress, _)| *progress != (false, None));
            let source = useful.max_by_key(|(progress, _)| *progress).map(|(_, dir)| dir);
            if let Some(source) = source {
                copy_attempt(source, &partial)?;
            }
            directory::mark(&partial)?;
            fs::rename(&partial, &dir)?;
            // Attempts that have ended, and what this task left before it was started again, take space only.
            let others = earlier.iter().filter(|dir| Some(*dir) != source).cloned().chain(partial_copies(&parent));
            for old in others.filter(|dir| is_of_this_task(dir) || dir.join(FAILURE).exists()) {
                let _ = fs::remove_dir_all(old);
            }
            Ok(())
        };
        match made() {
            // The winner of a race has removed the other attempts.
            Err(_) if is_listed(&published) => {
                let _ = fs::remove_dir_all(&parent);
                Ok(None)
            }
            made => {
                if made.is_err() {
                    let _ = fs::remove_dir_all(&partial);
                }
                made.with_context(|| format!("cannot prepare {}", dir.display()))?;
                Ok(Some(Self { dir, published, parent }))
            }
        }
    }

    /// Makes the finished attempt the run directory, and removes the other attempts. If another attempt was faster,
    /// this one is removed.
    ///
    /// # Errors
    /// The directory cannot be renamed.
    pub fn publish(&self) -> Result<()> {
        let to = self.published.parent().unwrap_or(Path::new(""));
        files::make_dir(to)?;
        match fs::rename(&self.dir, &self.published) {
            Err(error) if !archive::is_finished(&self.published) => {
                return Err(error).with_context(|| format!("cannot rename {}", self.dir.display()));
            }
            _ => {}
        }
        durable::sync_dir(to).with_context(|| format!("cannot write {}", to.display()))?;
        self.remove_all();
        Ok(())
    }

    /// As [`publish`](Self::publish), for a result that is one file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn publish_file(&self, text: &str) -> Result<()> {
        let to = self.published.parent().unwrap_or(Path::new(""));
        files::make_dir(to)?;
        files::write_shared(&self.published, text)?;
        self.remove_all();
        Ok(())
    }

    /// Records why the attempt failed. Returns true if another attempt has finished the run; this attempt is then
    /// removed.
    pub fn fail(&self, code: u8, message: &str) -> bool {
        if is_listed(&self.published) {
            self.remove_all();
            return true;
        }
        let failure = Failure { code, message: message.into(), host: host().unwrap_or_default() };
        // The log of the task has the message too.
        let text = serde_json::to_string(&failure).unwrap_or_default();
        let _ = files::write(&self.dir.join(FAILURE), &text);
        false
    }

    /// Records that a termination signal has ended the attempt.
    pub fn stop(&self) {
        self.fail(ExitStatus::Interrupted as u8, "a termination signal ended the task");
    }

    /// Removes all attempts of the run. Errors are ignored, because an attempt that is left is never read.
    fn remove_all(&self) {
        let _ = fs::remove_dir_all(&self.parent);
    }
}

/// Records that a task was stopped before it started a run.
pub fn stopped(plan: &ClusterDir, name: &str) {
    let (published, parent) = (plan.published(name), plan.attempts(name));
    let attempt = Attempt { dir: parent.join(attempt_name()), published, parent };
    if !is_listed(&attempt.published) && fs::create_dir_all(&attempt.dir).is_ok() {
        attempt.stop();
    }
}

/// Makes the directory of an unfinished run without a cluster the first attempt of the run.
///
/// # Errors
/// A process of this machine writes to the directory, or it cannot be renamed.
pub fn move_to_attempts(plan: &ClusterDir, name: &str) -> Result<()> {
    check_unused(&plan.published(name))?;
    let (from, to) = (plan.published(name), plan.attempts(name).join(format!("{EARLIER}{}", unique())));
    let renamed = || -> io::Result<()> {
        fs::create_dir_all(plan.attempts(name))?;
        fs::rename(&from, &to)
    };
    renamed().with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))
}

/// Whether a run has an attempt that has neither failed nor been stopped, other than one of this machine.
pub fn has_open_attempt(plan: &ClusterDir, name: &str) -> bool {
    let is_open = |dir: &PathBuf| {
        let is_local = dir.file_name().unwrap_or_default().to_string_lossy().starts_with(EARLIER);
        !is_local && !dir.join(FAILURE).exists()
    };
    earlier_attempts(&plan.attempts(name)).iter().any(is_open)
}

/// The failure of the latest attempt of a run; none if it has not failed.
pub fn failure(plan: &ClusterDir, name: &str) -> Option<Failure> {
    let changed = |dir: &PathBuf| fs::metadata(dir).and_then(|metadata| metadata.modified()).ok();
    let latest = earlier_attempts(&plan.attempts(name)).into_iter().max_by_key(changed)?;
    serde_json::from_str(&fs::read_to_string(latest.join(FAILURE)).ok()?).ok()
}

/// Whether an attempt is an earlier one of this task.
fn is_of_this_task(dir: &Path) -> bool {
    is_earlier(&dir.file_name().unwrap_or_default().to_string_lossy())
}

fn earlier_attempts(parent: &Path) -> Vec<PathBuf> {
    entries(parent).filter(|path| !is_partial(path)).collect()
}

/// The directories of a run's attempts.
pub fn attempts(plan: &ClusterDir, name: &str) -> Vec<PathBuf> {
    earlier_attempts(&plan.attempts(name))
}

/// Whether an attempt has a checkpoint, or is finished and was not published.
pub fn holds_work(attempt: &Path) -> bool {
    last_checkpoint(attempt).is_some() || archive::is_finished(attempt)
}

/// Copies that a task has begun and not completed.
fn partial_copies(parent: &Path) -> Vec<PathBuf> {
    entries(parent).filter(|path| is_partial(path)).collect()
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn is_partial(path: &Path) -> bool {
    path.to_string_lossy().ends_with(PARTIAL)
}

/// Steps and number of the last checkpoint of an attempt. The numbers count checkpoints, so the attempt with the higher
/// one need not have more steps.
fn last_checkpoint(dir: &Path) -> Option<(u64, u64)> {
    let newest = Checkpoints::at(&dir.join(CHECKPOINTS)).newest_value("training/steps").ok()??;
    Some((newest.1.as_u64().unwrap_or_default(), newest.0))
}

/// Copies an attempt that another process may still write. The checkpoints come first: they refer to the beginning of
/// the other files, which only grow.
fn copy_attempt(from: &Path, to: &Path) -> io::Result<()> {
    let checkpoints = from.join(CHECKPOINTS);
    if checkpoints.is_dir() {
        copy_files(&checkpoints, &to.join(CHECKPOINTS))?;
    }
    copy_files(from, to)
}

fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)?.flatten() {
        let name = entry.file_name();
        let (source, target) = (entry.path(), to.join(&name));
        if target.exists() || name == FAILURE || name.to_string_lossy().ends_with(".new") {
            continue;
        }
        let copied = if source.is_dir() { copy_files(&source, &target) } else { copy_file(&source, &target) };
        match copied {
            // The other process has replaced it by a later checkpoint.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            copied => copied?,
        }
    }
    Ok(())
}

/// Copies a file and waits until the copy is on the disk.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    fs::File::open(to)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "runs/plain-s0";

    fn start(dir: &ClusterDir) -> Attempt {
        Attempt::start(dir, NAME).unwrap().unwrap()
    }

    #[test]
    fn the_first_finished_attempt_becomes_the_run_and_the_other_is_removed() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = ClusterDir::of(temporary.path());
        let (first, second) = (start(&dir), start(&dir));
        assert_ne!(first.dir, second.dir);
        fs::write(first.dir.join("a"), "first").unwrap();
        fs::write(second.dir.join("a"), "second").unwrap();
        let manifest = format!(r#"{{"schema": {}, "status": "finished"}}"#, nas_core::result::SCHEMA);
        fs::write(second.dir.join("manifest.json"), manifest).unwrap();
        second.publish().unwrap();
        assert!(first.fail(1, "its directory is gone"));
        first.publish().unwrap();
        assert_eq!(fs::read_to_string(dir.published(NAME).join("a")).unwrap(), "second");
        assert!(Attempt::start(&dir, NAME).unwrap().is_none());
        assert!(!dir.attempts(NAME).exists());
    }

    #[test]
    fn an_attempt_starts_with_a_copy_of_the_one_with_the_most_steps() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = ClusterDir::of(temporary.path());
        for (attempt, number, step) in [(start(&dir), 2, 20), (start(&dir), 1, 100), (start(&dir), 3, 3)] {
            let checkpoint = attempt.dir.join(CHECKPOINTS).join(format!("{number:06}"));
            fs::create_dir_all(&checkpoint).unwrap();
            let state = format!(r#"{{"values": {{"training/steps": {step}}}}}"#);
            fs::write(checkpoint.join("state.json"), state).unwrap();
            fs::write(attempt.dir.join("metrics.csv"), step.to_string()).unwrap();
            attempt.fail(1, "lost");
        }
        assert_eq!(failure(&dir, NAME).unwrap().message, "lost");
        let next = start(&dir);
        assert_eq!(fs::read_to_string(next.dir.join("metrics.csv")).unwrap(), "100");
        assert_eq!(
            fs::read_dir(dir.attempts(NAME)).unwrap().count(),
            2,
            "failed attempts before the copied one are removed"
        );
        assert!(next.dir.join("checkpoints/000001/state.json").exists() && !next.dir.join(FAILURE).exists());
    }

    #[test]
    fn a_row_is_published_as_a_file() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = ClusterDir::of(temporary.path());
        start(&dir).publish_file("{}").unwrap();
        assert_eq!(fs::read_to_string(dir.published(NAME)).unwrap(), "{}");
    }
}
