//! `nas-train export`: the network or the metrics of a finished run, for other programs.

use crate::archive::{Archived, MetricRow};
use crate::args::ExportArgs;
use crate::exit::{ExitStatus, UsageError};
use crate::export::ExportedNetwork;
use crate::files;
use crate::tensorboard::EventFile;
use crate::text::{eprint_line, shell_path};
use anyhow::{Error, Result};
use std::path::{Path, PathBuf};

/// Writes the network of a run in the formats that the options name, and its metrics as TensorBoard event files.
///
/// # Errors
/// The directory contains no finished run or no weights, a file exists, or a file cannot be written.
pub fn export(args: &ExportArgs) -> Result<ExitStatus> {
    check(args)?;
    let run = Archived::read_named(&args.run)?;
    if args.has_network() {
        network(args, &run)?;
    }
    if let Some(dir) = &args.tensorboard {
        tensorboard(args, &run, dir)?;
    }
    Ok(ExitStatus::Success)
}

/// Checks before the first file is written that the options name outputs that do not exist, and have an effect.
fn check(args: &ExportArgs) -> Result<()> {
    if args.normalise && args.onnx.is_none() && args.python.is_none() {
        return Err(UsageError(
            "--normalise has no effect without --onnx FILE or --python FILE; add one, or leave it out".into(),
        )
        .into());
    }
    if !args.has_network() {
        if args.tensorboard.is_none() {
            let expected = "--onnx FILE, --safetensors FILE, --python FILE or --tensorboard DIR";
            return Err(UsageError(format!("`export` requires {expected}")).into());
        }
        let without_effect =
            [("--arch", args.arch.is_some()), ("--best", args.best), ("--data-dir", args.data.data_dir.is_some())];
        if let Some((option, _)) = without_effect.iter().find(|(_, given)| *given) {
            let expected = "--onnx FILE, --safetensors FILE or --python FILE";
            return Err(UsageError(format!("{option} has no effect without {expected}")).into());
        }
    }
    files::check_all_new(args.network_files())?;
    args.tensorboard.as_ref().map_or(Ok(()), |dir| EventFile::check(dir, None))
}

fn network(args: &ExportArgs, run: &Archived) -> Result<()> {
    let network = ExportedNetwork::read(args, run)?;
    let mut outputs: Vec<(&PathBuf, Vec<u8>)> = Vec::new();
    if let Some(file) = &args.onnx {
        outputs.push((file, network.onnx(args.normalise)));
    }
    if let Some(file) = &args.safetensors {
        outputs.push((file, network.safetensors().map_err(Error::msg)?));
    }
    if let Some(file) = &args.python {
        outputs.push((file, network.python(args.normalise).into_bytes()));
    }
    for (file, content) in outputs {
        files::write_new(file, &content)?;
        eprint_line(&format!("{}: {:.1} kB", file.display(), content.len() as f64 / 1e3));
    }
    eprint_line(&format!("architecture: {}", network.arch()));
    eprint_line(&format!("batch-norm statistics: {}", network.statistics()));
    Ok(())
}

fn tensorboard(args: &ExportArgs, run: &Archived, dir: &Path) -> Result<()> {
    let metrics: &[MetricRow] = match run {
        Archived::Run(run) => &run.metrics,
        Archived::Retrain(run) => &run.metrics,
        Archived::Sequence(_) => {
            let problem = "contains the result of `nas-train disturbance`, which has no metrics over steps; its matrix is in matrix.csv";
            return Err(UsageError(format!("{} {problem}", args.run.display())).into());
        }
    };
    let name = EventFile::new_name();
    let mut events = EventFile::create(dir, &name)?;
    let mut rows = metrics.iter();
    let written = rows.try_for_each(|row| events.scalar(&format!("{}/{}", row.split, row.metric), row.step, row.value));
    if let Err(error) = written {
        // An incomplete file would keep the same command from a second try.
        EventFile::remove(dir, &name)?;
        return Err(Error::new(error).context("cannot export"));
    }
    let view = format!("view them with `tensorboard --logdir {}`", shell_path(dir));
    eprint_line(&format!("{} scalars written; {view}", metrics.len()));
    Ok(())
}
