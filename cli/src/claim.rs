//! Claims of output files against other processes, also of other machines that see the same files.
//!
//! Locks of shared file systems may hold within one machine only. The creation of a file that must not exist holds
//! everywhere, so a claim is a file with the machine and the process that made it.

use crate::exit::UsageError;
use crate::files;
use crate::machine::{ProcessId, unique, unique_name};
use anyhow::{Context, Result};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Time between two attempts to take a claim.
const PAUSE: Duration = Duration::from_millis(200);

/// A claim, which ends when it is dropped.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    /// The content of the file: this process, and a text that no other claim has.
    text: String,
}

impl Claim {
    /// Claims an output by creating the file `path`. `output` is what it protects, for the message. A claim of a
    /// process of this machine that has ended is replaced.
    ///
    /// # Errors
    /// Another process has claimed the output, or the file cannot be written.
    pub fn take(path: &Path, output: &Path) -> Result<Self> {
        let own = format!("{}\n{}\n", ProcessId::this(), unique());
        loop {
            match files::create_shared(path, &own) {
                Ok(()) => return Ok(Self { path: path.into(), text: own }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| format!("cannot write {}", path.display())),
            }
            let text = match fs::read_to_string(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    // Its owner has ended, or this machine does not see the file yet.
                    thread::sleep(PAUSE);
                    continue;
                }
                text => text.with_context(|| format!("cannot read {}", path.display()))?,
            };
            if text == own {
                // The file system has repeated the request of this process, and answered to the repetition.
                return Ok(Self { path: path.into(), text: own });
            }
            match ProcessId::parse(text.lines().next().unwrap_or_default()) {
                Some(process) if process.has_ended() => remove_old(path, &text)?,
                Some(process) if process.is_local() => return Err(files::in_use(output)),
                owner => return Err(refused(path, output, owner.as_ref())),
            }
        }
    }

    /// As [`take`](Self::take), but waits until another process ends its claim, for at most this time.
    ///
    /// # Errors
    /// See [`take`](Self::take).
    pub fn take_within(path: &Path, output: &Path, timeout: Duration) -> Result<Self> {
        let started = Instant::now();
        loop {
            match Self::take(path, output) {
                Err(error) if error.is::<UsageError>() && started.elapsed() < timeout => thread::sleep(PAUSE),
                taken => return taken,
            }
        }
    }
}

/// Removes the claim of a process that has ended, unless another process has replaced it meanwhile.
fn remove_old(path: &Path, text: &str) -> Result<()> {
    let aside = path.with_file_name(unique_name(path));
    match fs::rename(path, &aside) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        renamed => renamed.with_context(|| format!("cannot remove {}", path.display()))?,
    }
    if let Ok(moved) = fs::read_to_string(&aside)
        && moved != text
    {
        // That was the claim of a process that was faster.
        let _ = files::create_shared(path, &moved);
    }
    files::remove(&aside)
}

impl Drop for Claim {
    fn drop(&mut self) {
        if fs::read_to_string(&self.path).is_ok_and(|text| text == self.text) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The error of a claim of another machine: whether its process is alive cannot be seen here.
fn refused(path: &Path, output: &Path, owner: Option<&ProcessId>) -> anyhow::Error {
    let who = owner.map_or("an unknown process".into(), |owner| format!("process {} of {}", owner.pid, owner.host));
    UsageError(format!(
        "{} is in use by {who}; wait until that process ends, or choose another output. If it was killed, remove {}",
        output.display(),
        path.display()
    ))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_claimed_once_until_the_claim_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".owner");
        let claim = Claim::take(&path, dir.path()).unwrap();
        let message = Claim::take(&path, dir.path()).unwrap_err().to_string();
        assert!(message.contains("is in use by another nas-train process"), "{message}");
        drop(claim);
        drop(Claim::take(&path, dir.path()).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_claim_of_an_ended_process_is_replaced_and_one_of_another_machine_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".owner");
        let ended = ProcessId { started: "0".into(), ..ProcessId::this() };
        fs::write(&path, ended.to_string()).unwrap();
        drop(Claim::take(&path, dir.path()).unwrap());
        let elsewhere =
            ProcessId { boot: "other".into(), machine: "other".into(), host: "n7".into(), ..ProcessId::this() };
        for text in [elsewhere.to_string(), "torn".into()] {
            fs::write(&path, text).unwrap();
            let message = Claim::take(&path, dir.path()).unwrap_err().to_string();
            assert!(message.contains("If it was killed, remove "), "{message}");
        }
    }
}
