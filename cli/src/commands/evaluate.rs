//! `nas-train evaluate`: given architectures, or the ranking of the truth comparison, with the weights of a run.

use crate::args::EvaluateArgs;
use crate::device::compute;
use crate::exit::{ExitStatus, UsageError};
use crate::progress::ProgressDisplay;
use crate::settings::Origin;
use crate::signal::cancel;
use crate::summary::{row, section, truth_section};
use crate::text::{print, table};
use crate::trained_run::TrainedRun;
use anyhow::{Context, Result};
use nas_core::arch::Arch;
use nas_core::config::{BnMode, RunConfig};
use nas_core::csv_lines::CsvLines;
use nas_core::registry::TrainingDevice;
use nas_core::result::{SCHEMA, Truth};
use nas_core::trainer::{Candidate, EvalImages, Session};
use nas_core::{quote, read_file};
use serde_json::json;
use std::path::Path;

/// Largest size of a file with architectures, in bytes.
const MAX_FILE: u64 = 1 << 30;

/// Prints accuracy, loss, parameters and multiply-adds of architectures, or the figures of the truth comparison.
///
/// # Errors
/// A directory without weights, other data, an architecture of another space, or no truth table.
pub fn evaluate(args: &EvaluateArgs) -> Result<ExitStatus> {
    if args.arch.is_empty() && args.archs.is_none() && !args.ranking {
        return Err(UsageError("`evaluate` requires --arch ARCH, --archs FILE.csv or --ranking".into()).into());
    }
    if let Some(unused) = args.set.iter().find(|set| !args.ranking && set.trim_start().starts_with("truth.")) {
        let problem =
            format!("--set {} has no effect without --ranking; add --ranking, or leave it out", quote(unused));
        return Err(UsageError(problem).into());
    }
    let images = args.set.iter().find(|set| args.test && set.trim_start().starts_with("eval.images"));
    if let Some(unused) = images {
        let problem = "has no effect with --test, which evaluates all test images; leave one of them out";
        return Err(UsageError(format!("--set {} {problem}", quote(unused))).into());
    }
    let texts = texts(args)?;
    let run = TrainedRun::read(&args.run, &args.set, &args.data)?;
    // `check_effects` accepts this key, because a run keeps it for `export`.
    if let Origin::Set(_) = run.settings.origin("eval.recalibrate_images")
        && run.settings.config.eval.bn != BnMode::Recalibrate
    {
        let problem = "--set eval.recalibrate_images has no effect, because eval.bn is not recalibrate";
        return Err(UsageError(format!("{problem}; add --set eval.bn=recalibrate, or leave it out")).into());
    }
    compute!(&run.settings.config, |device| on(args, &run, &texts, &device))
}

fn on<D: TrainingDevice>(args: &EvaluateArgs, run: &TrainedRun, texts: &[ArchText], device: &D) -> Result<ExitStatus> {
    let mut progress = ProgressDisplay::new(args.progress);
    let data = run.data(cancel()?, |line| progress.print_line(line))?;
    let images = if args.test { EvalImages::Test } else { EvalImages::Validation };
    match args.ranking {
        true => ranking(args, run, &run.ranking_session(&data, device, images)?, progress),
        false => architectures(args, texts, &run.session(&data, device, images)?, progress),
    }
}

/// Compares the ranking of the shared weights with the truth table.
fn ranking<D: TrainingDevice>(
    args: &EvaluateArgs,
    run: &TrainedRun,
    session: &Session<D>,
    mut progress: ProgressDisplay,
) -> Result<ExitStatus> {
    let compared = session.compare_with_truth(&mut progress, cancel()?)?;
    drop(progress);
    let Some(truth) = compared else { return Ok(ExitStatus::Interrupted) };
    let (config, eval_images) = (&run.settings.config, session.eval_images());
    let shown = match args.json {
        true => json!({
            "type": "ranking",
            "schema": SCHEMA,
            "run": args.run.display().to_string(),
            "test": args.test,
            "bn": config.eval.bn,
            "eval_images": eval_images,
            "truth": truth,
        })
        .to_string(),
        false => summary(args, config, eval_images, &truth),
    };
    print(&shown)?;
    Ok(ExitStatus::Success)
}

fn summary(args: &EvaluateArgs, config: &RunConfig, eval_images: usize, truth: &Truth) -> String {
    let images = if args.test { "test" } else { "validation" };
    let statistics = match config.eval.bn {
        BnMode::Batch => "of the evaluated batch".into(),
        BnMode::Recalibrate => format!("measured on {} training images", config.eval.recalibrate_images),
        BnMode::Running => "running averages".to_owned(),
    };
    let rows = vec![
        row("run", args.run.display()),
        row("images of each evaluation", format!("{eval_images} {images} images")),
        row("batch-norm statistics", statistics),
    ];
    format!("{}\n{}", section("Evaluation", rows), truth_section(truth, &config.data.name))
}

fn architectures<D: TrainingDevice>(
    args: &EvaluateArgs,
    texts: &[ArchText],
    session: &Session<D>,
    mut progress: ProgressDisplay,
) -> Result<ExitStatus> {
    let space = session.space();
    let parse = |ArchText { text, place }: &ArchText| {
        space.parse(text).map_err(|error| UsageError(error.to_string())).with_context(|| place.clone())
    };
    let archs: Vec<Arch> = texts.iter().map(parse).collect::<Result<_>>()?;
    let mut show = |done| progress.count("architecture", done, archs.len(), "", None);
    let evaluated = session.evaluate_with_loss(&archs, cancel()?, &mut show)?;
    drop(progress);
    let Some(evaluations) = evaluated else { return Ok(ExitStatus::Interrupted) };
    let found = archs.iter().zip(evaluations).map(|(arch, evaluation)| Candidate::new(&**space, arch, evaluation));
    let found = found.collect::<Result<Vec<_>, _>>()?;
    if args.json {
        found.iter().try_for_each(|candidate| print(&serde_json::to_string(candidate)?))?;
    } else {
        print(&candidate_table(&found))?;
    }
    Ok(ExitStatus::Success)
}

/// A table of candidates, for the terminal.
pub fn candidate_table<'a>(candidates: impl IntoIterator<Item = &'a Candidate>) -> String {
    let row = |Candidate { arch, accuracy, loss, params, macs }: &Candidate| {
        [arch.clone(), format!("{accuracy:.2} %"), format!("{loss:.4}"), params.to_string(), macs.to_string()]
    };
    table(["architecture", "accuracy", "loss", "parameters", "multiply-adds"], candidates.into_iter().map(row))
}

/// An architecture as text.
struct ArchText {
    text: String,
    /// The option, or the line of the file, that names it.
    place: String,
}

/// The architectures of `--arch` and `--archs`.
fn texts(args: &EvaluateArgs) -> Result<Vec<ArchText>> {
    let of_option = |text: &String| ArchText { text: text.clone(), place: "--arch".into() };
    let mut texts: Vec<ArchText> = args.arch.iter().map(of_option).collect();
    if let Some(path) = &args.archs {
        let listed = column(path)?;
        if listed.is_empty() {
            let problem = "has no architectures: expected at least one row below the header";
            return Err(UsageError(format!("{} {problem}", path.display())).into());
        }
        texts.extend(listed);
    }
    Ok(texts)
}

/// The column `arch` of a CSV file.
fn column(path: &Path) -> Result<Vec<ArchText>> {
    let context = || format!("cannot read {}", path.display());
    let bytes =
        read_file::bytes(path, MAX_FILE).map_err(|error| UsageError(error.to_string())).with_context(context)?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(&bytes[..]);
    let header = reader.headers().map_err(|error| UsageError(error.to_string())).with_context(context)?;
    let column = header.iter().position(|name| name == "arch");
    let column = column.ok_or_else(|| {
        UsageError(format!(
            "{} has no column `arch`: expected a CSV file with a header that contains it",
            path.display()
        ))
    })?;
    let mut lines = CsvLines::of(&bytes);
    let field = |record: Result<csv::StringRecord, csv::Error>| {
        let record = record.map_err(|error| UsageError(error.to_string())).with_context(context)?;
        let line = lines.at(record.position());
        let text = record.get(column).unwrap_or_default().to_owned();
        Ok(ArchText { text, place: format!("{}, line {line}", path.display()) })
    };
    reader.records().map(field).collect()
}
