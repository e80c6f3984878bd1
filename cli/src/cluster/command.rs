//! Commands of a scheduler, each with a time limit: a scheduler under load may not answer.

use crate::exit::UsageError;
use anyhow::{Context, Result, anyhow};
use std::io::{ErrorKind, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for the output of a command that has ended. A process that it has started may keep the pipes open.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait for what a command has printed before it was killed.
const PAUSE_FOR_MESSAGE: Duration = Duration::from_secs(1);
/// Time between two looks at a running command.
const PAUSE: Duration = Duration::from_millis(10);

/// Executes a command and returns its standard output.
///
/// # Errors
/// The program does not exist, it fails (the message has its own message), or it has not ended within the limit. It is
/// then killed.
pub fn output(program: &str, arguments: &[String], limit: Duration) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os().filter(|(name, _)| changes_output(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    let mut child = match command.spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let remedy = "load the module of the scheduler, or use --cluster script";
            return Err(UsageError(format!("there is no `{program}` on the PATH: {remedy}")).into());
        }
        child => child.with_context(|| format!("cannot execute {program}"))?,
    };
    let (stdout, stderr) = (read(child.stdout.take()), read(child.stderr.take()));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().with_context(|| format!("cannot wait for {program}"))? {
            break status;
        }
        if started.elapsed() > limit {
            kill(&mut child);
            let printed = stderr.recv_timeout(PAUSE_FOR_MESSAGE).ok().and_then(|text| message(program, &text));
            let printed = printed.map(|text| format!(" ({text})")).unwrap_or_default();
            return Err(anyhow!("{program} has not answered within {} s{printed}; try again later", limit.as_secs()));
        }
        thread::sleep(PAUSE);
    };
    let stderr = stderr.recv_timeout(OUTPUT_TIMEOUT).unwrap_or_default();
    if !status.success() {
        return Err(anyhow!("{program} failed: {}", message(program, &stderr).unwrap_or_else(|| status.to_string())));
    }
    stdout.recv_timeout(OUTPUT_TIMEOUT).with_context(|| format!("cannot read what {program} printed"))
}

/// Whether an environment variable would change what a command of Slurm does or prints: options of its own, and the
/// variables of a job in which this process runs.
fn changes_output(name: &str) -> bool {
    let submission = ["ARRAY_INX", "JOB_NAME", "NO_REQUEUE", "OPEN_MODE", "OUTPUT", "SIGNAL", "WAIT"];
    name.starts_with("SQUEUE_")
        || name.strip_prefix("SBATCH_").is_some_and(|name| submission.contains(&name))
        || (name.starts_with("SLURM_") && !["SLURM_CONF", "SLURM_CLUSTERS"].contains(&name))
}

/// The message of a failed command in one line, without its name; none if it printed nothing.
fn message(program: &str, stderr: &str) -> Option<String> {
    let prefix = format!("{program}: ");
    let line = |line: &str| {
        let line = line.trim().trim_start_matches(&prefix);
        line.strip_prefix("error: ").unwrap_or(line).to_owned()
    };
    let lines: Vec<String> = stderr.lines().map(line).filter(|line| !line.is_empty()).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

fn read(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sh(script: &str, limit: Duration) -> Result<String> {
        output("sh", &["-c".into(), script.into()], limit)
    }

    #[test]
    fn output_failure_absence_and_silence_are_distinguished() {
        let long = Duration::from_secs(20);
        assert_eq!(sh("echo 7", long).unwrap(), "7\n");
        let message = sh("echo 'sh: error: no such partition' >&2; exit 1", long).unwrap_err().to_string();
        assert_eq!(message, "sh failed: no such partition");
        assert_eq!(sh("exit 3", long).unwrap_err().to_string(), "sh failed: exit status: 3");
        let message = output("no-such-scheduler", &[], long).unwrap_err().to_string();
        assert!(message.contains("there is no `no-such-scheduler` on the PATH"), "{message}");
        let message = sh("sleep 30", Duration::from_millis(50)).unwrap_err().to_string();
        assert!(message.contains("has not answered within"), "{message}");
    }
}
