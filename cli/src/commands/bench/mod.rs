//! `nas-train bench`: the time of a training step.
//!
//! Every combination of the lists of spaces, strategies, batch sizes and thread counts is a case. Each case runs in a
//! process of its own, so that the peak memory is that of the case. Every round runs all cases once, so that changes in
//! the machine's load affect all cases alike. The table shows the median of the rounds.

mod case;
mod measure;

use crate::args::BenchArgs;
use crate::exit::{ExitStatus, UsageError};
use crate::settings::Settings;
use crate::signal::cancel;
use crate::text::{eprint_line, print, table};
use anyhow::{Context, Result, bail};
use case::Case;
use measure::Measured;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;

/// Measures all cases and prints their medians.
///
/// # Errors
/// A name is unknown, an option is out of range, or a case fails.
pub fn bench(args: &BenchArgs) -> Result<ExitStatus> {
    let cases = Case::all(args)?;
    if let ([case], 1) = (&cases[..], args.rounds) {
        return match measure::measure(args, case)? {
            Some(measured) => show(&[measured], args.run.json).map(|()| ExitStatus::Success),
            None => Ok(ExitStatus::Interrupted),
        };
    }
    // Checks all cases before the first one runs.
    cases.iter().try_for_each(|case| Settings::resolve(&case.run(&args.run)).map(|_| ()))?;
    let cancel = cancel()?;
    let mut rounds: Vec<Vec<Measured>> = vec![Vec::new(); cases.len()];
    for round in 0..args.rounds {
        for (case, measured) in cases.iter().zip(&mut rounds) {
            eprint_line(&format!("round {} of {}: {case}", round + 1, args.rounds));
            let outcome = measure_in_child(case)?;
            if cancel.load(Ordering::Relaxed) {
                return Ok(ExitStatus::Interrupted);
            }
            measured.push(outcome);
        }
    }
    let medians: Vec<Measured> = rounds.into_iter().filter_map(Measured::median).collect();
    show(&medians, args.run.json)?;
    Ok(ExitStatus::Success)
}

/// Measures one round of one case in a child process: this program with the same arguments and that case.
fn measure_in_child(case: &Case) -> Result<Measured> {
    let program = std::env::current_exe().context("cannot find the executable of this program")?;
    let output = Command::new(program)
        .args(std::env::args_os().skip(1))
        .args(case.arguments())
        .args(["--rounds=1", "--json"])
        .stderr(Stdio::piped())
        .output()
        .context("cannot start this program as a child process")?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        let error = message.trim().strip_prefix("error: ").unwrap_or("").to_string();
        match output.status.code() {
            Some(2) => return Err(UsageError(format!("{case}: {error}")).into()),
            _ => bail!("{case}: {error} ({})", output.status),
        }
    }
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{case}: the output of the child process is not a line of JSON"))
}

fn show(results: &[Measured], json: bool) -> Result<()> {
    if json {
        return results.iter().try_for_each(|measured| print(&serde_json::to_string(measured)?));
    }
    let header =
        ["space", "strategy", "width", "cells", "batch", "threads", "ms per pass", "min to max", "images/s", "memory"];
    print(&table(header, results.iter().map(Measured::row)))
}
