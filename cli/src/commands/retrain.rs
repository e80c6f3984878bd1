//! `nas-train retrain`: stand-alone training of one architecture.

use crate::archive::{Archived, ArchivedRetrain, Incomplete};
use crate::args::RetrainArgs;
use crate::device::on_device;
use crate::exit::{ExitStatus, UsageError};
use crate::parallel::in_thread_pool;
use crate::run_kind::RunKind;
use crate::settings::{Settings, other_settings};
use crate::single_run::SingleRun;
use crate::summary::seeds_table;
use crate::text::{eprint_line, print};
use crate::trainings::{TrainingGroup, seed_directory};
use anyhow::{Context, Result};
use nas_core::registry::Target;
use nas_core::result::RunResult;
use nas_core::state::State;
use nas_core::trainer::{RunError, StandAloneRun, StandAloneTrainer};
use std::path::Path;

/// Trains an architecture from scratch with each seed, or continues where an earlier call was stopped.
///
/// # Errors
/// Invalid options, an architecture of another space, unreadable data, diverged training, or files that cannot be
/// written.
pub fn retrain(args: &RetrainArgs) -> Result<ExitStatus> {
    let arch = architecture(args)?;
    let settings = |seed: Option<u64>| {
        let seed: Vec<String> = seed.map(|seed| format!("seed={seed}")).into_iter().collect();
        Settings::resolve_retrain(args.from.as_deref(), args.recipe.as_deref(), &args.run, &seed)
    };
    let of_first = settings(None)?;
    if args.seeds == 1 {
        let kind = RunKind::Retrain(arch.clone());
        let run = SingleRun::with_settings(of_first, args.run.out.as_deref(), &args.run, kind)?;
        return stand_alone(run, &arch);
    }
    let first = of_first.config.seed;
    let out = args.run.out.as_ref().ok_or_else(|| UsageError("--seeds requires --out DIR".into()))?;
    let mut runs = Vec::new();
    for seed in first..first + u64::from(args.seeds) {
        let (dir, settings) = (seed_directory(out, seed), settings(Some(seed))?);
        let done = finished(&dir, &settings, &arch)?;
        if done.is_none() {
            let kind = RunKind::Retrain(arch.clone());
            let run = SingleRun::with_settings(settings, Some(&dir), &args.run, kind)?;
            let status = stand_alone(run, &arch)?;
            if status != ExitStatus::Success {
                return Ok(status);
            }
        }
        runs.push(done.map_or_else(|| archived(&dir), Ok)?);
    }
    if !args.run.json {
        print(&seeds_table(&TrainingGroup { name: out.display().to_string(), runs }))?;
    }
    Ok(ExitStatus::Success)
}

/// Trains a planned stand-alone training, from its start or from a checkpoint.
///
/// # Errors
/// As [`retrain`].
pub fn stand_alone(run: SingleRun, arch: &str) -> Result<ExitStatus> {
    let device = run.device()?;
    in_thread_pool(run.threads(), || {
        on_device!(device, |make| {
            let device = make()?;
            run.execute(
                |config, data, state| start(&StandAloneTrainer::new(config, data, &device)?, arch, config.seed, state),
                StandAloneRun::run,
            )
        })
    })
}

/// A new training, or one that continues from a state.
fn start<D: Target>(
    trainer: &StandAloneTrainer<D>,
    arch: &str,
    seed: u64,
    state: Option<&State>,
) -> Result<StandAloneRun<D>, RunError> {
    let run = trainer.start(arch, seed)?.connected()?;
    match state {
        Some(state) => run.restore(state),
        None => Ok(run),
    }
}

/// The architecture of `--arch`, or the selected one of the run of `--from`.
fn architecture(args: &RetrainArgs) -> Result<String> {
    match (&args.arch, &args.from) {
        (Some(arch), _) => Ok(arch.clone()),
        (None, Some(dir)) => selected(dir),
        (None, None) => Err(UsageError("`retrain` requires --arch ARCH or --from RUN".into()).into()),
    }
}

/// The architecture that a run or a search has selected.
fn selected(dir: &Path) -> Result<String> {
    let archived = Archived::read(dir).with_context(|| dir.display().to_string())?;
    let Archived::Run(run) = archived else {
        return Err(UsageError(format!(
            "{} is no run of a supernet: expected a run with a selected architecture",
            dir.display()
        ))
        .into());
    };
    let RunResult { selected, .. } = run.result;
    let selected = selected.ok_or_else(|| UsageError(format!("{} has no selected architecture", dir.display())))?;
    eprint_line(&format!("architecture {} of {}", selected.arch, dir.display()));
    Ok(selected.arch)
}

/// The finished training with these settings that a directory holds; none if it holds no finished training.
fn finished(dir: &Path, settings: &Settings, arch: &str) -> Result<Option<ArchivedRetrain>> {
    let Ok(Archived::Retrain(run)) = Archived::read(dir) else { return Ok(None) };
    let other = match run.manifest["arch"].as_str() {
        Some(found) if found != arch => Some(format!("architecture ({found}, now {arch})")),
        _ => other_settings(&run.config, &settings.config)?,
    };
    match other {
        None => Ok(Some(*run)),
        Some(other) => {
            let problem = format!("{} holds a training with another {other}: choose another --out", dir.display());
            Err(UsageError(problem).into())
        }
    }
}

fn archived(dir: &Path) -> Result<ArchivedRetrain> {
    match Archived::read(dir).with_context(|| dir.display().to_string())? {
        Archived::Retrain(run) => Ok(*run),
        _ => Err(Incomplete::Missing("result.json".into()).into()),
    }
}
