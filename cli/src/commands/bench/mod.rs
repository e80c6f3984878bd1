//! `bench`: times training steps, every case in a process of its own.

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

/// Times the cases that the arguments ask for.
///
/// # Errors
/// Unknown names, options out of range, a case that fails.
pub fn bench(args: &BenchArgs) -> Result<ExitStatus> {
    let cases = Case::all(args)?;
    if let ([case], 1) = (&cases[..], args.rounds) {
        return match measure::measure(args, case)? {
            Some(measured) => show(&[measured], args.run.json).map(|()| ExitStatus::Success),
            None => Ok(ExitStatus::Interrupted),
        };
    }
    // A name that is wrong shows before the first case has taken its time.
    cases.iter().try_for_each(|case| Settings::resolve(&case.run(&args.run)).map(|_| ()))?;
    let cancel = cancel()?;
    let mut rounds: Vec<Vec<Measured>> = vec![Vec::new(); cases.len()];
    for round in 0..args.rounds {
        for (case, measured) in cases.iter().zip(&mut rounds) {
            eprint_line(&format!("round {} of {}: {case}", round + 1, args.rounds));
            let outcome = child(case)?;
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

/// Runs this program again with the same arguments, but for one round of one case.
fn child(case: &Case) -> Result<Measured> {
    let program = std::env::current_exe().context("cannot find this program to start it again")?;
    let output = Command::new(program)
        .args(std::env::args_os().skip(1))
        .args(case.arguments())
        .args(["--rounds=1", "--json"])
        .stderr(Stdio::piped())
        .output()
        .context("cannot start this program again")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let error = said.trim().strip_prefix("error: ").unwrap_or("").to_string();
        match output.status.code() {
            Some(2) => return Err(UsageError(format!("{case}: {error}")).into()),
            _ => bail!("{case}: {error} ({})", output.status),
        }
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{case}: the result is no JSON line"))
}

fn show(results: &[Measured], json: bool) -> Result<()> {
    if json {
        return results.iter().try_for_each(|measured| print(&serde_json::to_string(measured)?));
    }
    let header =
        ["space", "strategy", "width", "cells", "batch", "threads", "ms per pass", "min to max", "images/s", "memory"];
    print(&table(header, results.iter().map(Measured::row)))
}
