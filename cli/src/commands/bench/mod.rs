//! `nas-train bench`: the time of a training step.
//!
//! Every combination of the lists of spaces, strategies, batch sizes and thread counts is a case. Each case runs in a
//! process of its own, so that the peak memory is that of the case. Every round runs all cases once, so that changes in
//! the machine's load affect all cases alike. The table shows the median of the rounds.

mod case;
mod child;
mod measure;

use crate::args::{BenchArgs, ProgressMode};
use crate::exit::{ExitStatus, UsageError};
use crate::settings::{Settings, check_effects};
use crate::signal::cancel;
use crate::text::{eprint_line, print, table};
use anyhow::{Context, Result};
use case::Case;
use measure::Measured;

/// Measures all cases and prints their medians.
///
/// # Errors
/// A name is unknown, an option is out of range, or a case fails.
pub fn bench(args: &BenchArgs) -> Result<ExitStatus> {
    if args.end_with_stdin {
        child::end_with_stdin();
    }
    let cancel = cancel()?;
    let cases = Case::all(args)?;
    // The process of a case has the options of all cases, which are checked already.
    if !args.end_with_stdin {
        check(args, &cases)?;
    }
    if let ([case], 1) = (&cases[..], args.rounds) {
        return match measure::measure(args, case)? {
            Some(measured) => show(&[measured], args.run.json).map(|()| ExitStatus::Success),
            None => Ok(ExitStatus::Interrupted),
        };
    }
    let mut rounds: Vec<Vec<Measured>> = vec![Vec::new(); cases.len()];
    for round in 0..args.rounds {
        for (case, measured) in cases.iter().zip(&mut rounds) {
            if args.run.progress != ProgressMode::None {
                eprint_line(&format!("round {} of {}: {case}", round + 1, args.rounds));
            }
            match child::measure_in_child(case, cancel)? {
                Some(outcome) => measured.push(outcome),
                None => return Ok(ExitStatus::Interrupted),
            }
        }
    }
    let medians: Vec<Measured> = rounds.into_iter().filter_map(Measured::median).collect();
    show(&medians, args.run.json)?;
    Ok(ExitStatus::Success)
}

/// Checks all cases before the first one runs.
fn check(args: &BenchArgs, cases: &[Case]) -> Result<()> {
    let run = &args.run;
    for (option, list, is_given) in [
        ("--space", "--spaces", run.space.is_some() && args.spaces.is_some()),
        ("--strategy", "--strategies", run.strategy.is_some() && args.strategies.is_some()),
        ("--batch-size", "--batch-sizes", run.batch_size.is_some() && args.batch_sizes.is_some()),
        ("--threads", "--thread-counts", run.threads.is_some() && args.thread_counts.is_some()),
    ] {
        if is_given {
            return Err(UsageError(format!("{option} has no effect with {list}; leave it out")).into());
        }
    }
    let settings = |case: &Case| Settings::resolve(&case.run(run)).with_context(|| format!("case {case}"));
    let settings = cases.iter().map(settings).collect::<Result<Vec<_>>>()?;
    Ok(check_effects(&settings)?)
}

fn show(results: &[Measured], json: bool) -> Result<()> {
    if json {
        return results.iter().try_for_each(|measured| print(&serde_json::to_string(measured)?));
    }
    let header =
        ["space", "strategy", "width", "cells", "batch", "threads", "ms per pass", "min to max", "images/s", "memory"];
    print(&table(header, results.iter().map(Measured::row)))
}
