//! `nas-train evaluate`: given architectures with the weights of a run.

use crate::args::EvaluateArgs;
use crate::device::compute;
use crate::exit::{ExitStatus, UsageError};
use crate::signal::cancel;
use crate::text::{print, table};
use crate::trained_run::TrainedRun;
use anyhow::{Context, Result};
use nas_core::arch::Arch;
use nas_core::read_file;
use nas_core::registry::TrainingDevice;
use nas_core::space::SearchSpace;
use nas_core::trainer::{Candidate, EvalImages};
use std::path::Path;

/// Largest size of a file with architectures, in bytes.
const MAX_FILE: u64 = 1 << 30;

/// Prints accuracy, loss, parameters and multiply-adds of architectures.
///
/// # Errors
/// A directory without weights, other data, or an architecture of another space.
pub fn evaluate(args: &EvaluateArgs) -> Result<ExitStatus> {
    if args.arch.is_empty() && args.archs.is_none() {
        return Err(UsageError("`evaluate` requires --arch ARCH or --archs FILE.csv".into()).into());
    }
    let run = TrainedRun::read(&args.run)?;
    compute!(&run.settings.config, |device| on(args, &run, &device))
}

fn on<D: TrainingDevice>(args: &EvaluateArgs, run: &TrainedRun, device: &D) -> Result<ExitStatus> {
    let cancel = cancel()?;
    let data = run.data(cancel, |_| ())?;
    let images = if args.test { EvalImages::Test } else { EvalImages::Validation };
    let session = run.session(&data, device, images)?;
    let space = session.space();
    let archs = archs(args, &**space)?;
    let Some(observed) = session.evaluate_with_loss(&archs, cancel)? else { return Ok(ExitStatus::Interrupted) };
    let found = archs.iter().zip(observed).map(|(arch, seen)| Candidate::new(&**space, arch, seen));
    let found = found.collect::<Result<Vec<_>, _>>()?;
    if args.json {
        found.iter().try_for_each(|candidate| print(&serde_json::to_string(candidate)?))?;
    } else {
        print(&table(["architecture", "accuracy", "loss", "parameters", "multiply-adds"], found.iter().map(row)))?;
    }
    Ok(ExitStatus::Success)
}

/// The row of a candidate in a table.
pub fn row(candidate: &Candidate) -> [String; 5] {
    let Candidate { arch, accuracy, loss, params, macs } = candidate;
    [arch.clone(), format!("{accuracy:.2} %"), format!("{loss:.4}"), params.to_string(), macs.to_string()]
}

fn archs(args: &EvaluateArgs, space: &dyn SearchSpace) -> Result<Vec<Arch>> {
    let mut texts = args.arch.clone();
    if let Some(path) = &args.archs {
        texts.extend(column(path)?);
    }
    let parse = |text: &String| space.parse(text).map_err(|error| UsageError(error.to_string()).into());
    texts.iter().map(parse).collect()
}

/// The column `arch` of a CSV file.
fn column(path: &Path) -> Result<Vec<String>> {
    let context = || format!("cannot read {}", path.display());
    let bytes =
        read_file::bytes(path, MAX_FILE).map_err(|error| UsageError(error.to_string())).with_context(context)?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(&bytes[..]);
    let header = reader.headers().map_err(|error| UsageError(error.to_string())).with_context(context)?;
    let place = header.iter().position(|name| name == "arch");
    let place = place.ok_or_else(|| UsageError(format!("{} has no column `arch`", path.display())))?;
    let field = |record: Result<csv::StringRecord, csv::Error>| {
        let record = record.map_err(|error| UsageError(error.to_string())).with_context(context)?;
        Ok(record.get(place).unwrap_or_default().to_owned())
    };
    reader.records().map(field).collect()
}
