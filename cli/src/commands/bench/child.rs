//! The child process of one round of one case.
//!
//! The child ends when its standard input ends. Its parent holds the other end of that pipe: it drops it at an
//! interrupt, and the system closes it when the parent is killed. A benchmark therefore never leaves a child behind.

use super::case::Case;
use super::measure::Measured;
use crate::exit::{ChildFailed, ExitStatus};
use anyhow::{Context, Result};
use std::io::Read;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Time between two looks at the interrupt flag.
const POLL: Duration = Duration::from_millis(20);

/// Measures one round of one case in a child process: this program with the same arguments and that case. `None` if it
/// was interrupted.
///
/// # Errors
/// The child cannot be started, or it failed; its exit code is then that of this program.
pub fn measure_in_child(case: &Case, cancel: &AtomicBool) -> Result<Option<Measured>> {
    let output = run(case, cancel)?;
    let status = output.status.code().and_then(ExitStatus::from_code);
    match status {
        _ if cancel.load(Ordering::Relaxed) => Ok(None),
        Some(ExitStatus::Interrupted) => Ok(None),
        Some(ExitStatus::Success) => {
            let measured = serde_json::from_slice(&output.stdout);
            measured.map(Some).with_context(|| format!("{case}: the output of the child process is not a line of JSON"))
        }
        _ => {
            let text = String::from_utf8_lossy(&output.stderr);
            let message = text.trim();
            let message = message.strip_prefix("error: ").unwrap_or(message);
            let message = if message.is_empty() { output.status.to_string() } else { message.into() };
            let status = status.unwrap_or(ExitStatus::Failure);
            Err(ChildFailed { status, message: format!("{case}: {message}") }.into())
        }
    }
}

/// Runs the child until it ends, or until `cancel` becomes true and the child ends for that reason.
fn run(case: &Case, cancel: &AtomicBool) -> Result<Output> {
    let program = std::env::current_exe().context("cannot find the executable of this program")?;
    let mut child = Command::new(program)
        .args(std::env::args_os().skip(1))
        .args(case.arguments())
        .args(["--rounds=1", "--json", "--end-with-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start this program as a child process")?;
    let stdin = child.stdin.take();
    let waiting = thread::spawn(move || child.wait_with_output());
    while !waiting.is_finished() && !cancel.load(Ordering::Relaxed) {
        thread::sleep(POLL);
    }
    drop(stdin);
    let output = waiting.join().map_err(|_| anyhow::anyhow!("the thread that reads the child process has stopped"))?;
    output.context("cannot wait for the child process")
}

/// Starts a thread that ends this process when standard input ends.
pub fn end_with_stdin() {
    thread::spawn(|| {
        let mut input = std::io::stdin().lock();
        // The parent writes nothing.
        while matches!(input.read(&mut [0; 64]), Ok(1..)) {}
        std::process::exit(i32::from(ExitStatus::Interrupted as u8));
    });
}
