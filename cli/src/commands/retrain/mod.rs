//! `nas-train retrain`: stand-alone training of one architecture.

mod cluster;
mod earlier;
mod seeds;

use crate::archive::{self, Archived, ArchivedRetrain, Incomplete};
use crate::args::RetrainArgs;
use crate::cluster::Executor;
use crate::device::on_device;
use crate::exit::{ExitStatus, UsageError};
use crate::parallel::in_thread_pool;
use crate::run_kind::RunKind;
use crate::settings::{Origin, Settings, check_effects};
use crate::single_run::{SingleRun, print_result};
use crate::text::eprint_line;
use anyhow::{Context, Result};
use earlier::{check_data, check_layout, finished};
use nas_core::registry::TrainingDevice;
use nas_core::result::RunResult;
use nas_core::state::State;
use nas_core::trainer::{RunError, StandAloneRun, StandAloneTrainer};
use std::path::Path;
use std::slice;

/// Trains an architecture from scratch with each seed, continues where an earlier call was stopped, or prints the
/// result of a finished training again. `executor` trains it; none for the one that the options choose.
///
/// # Errors
/// Invalid options, an architecture of another space, unreadable data, diverged training, or files that cannot be
/// written.
pub fn retrain(args: &RetrainArgs, executor: Option<Executor>) -> Result<ExitStatus> {
    let arch = architecture(args)?;
    let settings = |assignments: &[String]| {
        Settings::resolve_stand_alone(args.from.as_deref(), args.recipe.as_deref(), &args.run, assignments)
    };
    let first = settings(&[])?;
    check_effects(slice::from_ref(&first))?;
    if let (Origin::Run(run), Some(images)) = (first.origin("data.limit_train"), first.config.data.limit_train) {
        let from = format!("data.limit_train of --from {}", run.display());
        eprint_line(&format!("training on at most {images} images ({from}); --limit-train changes it"));
    }
    let executor = executor.map_or_else(|| Executor::choose(&args.cluster, &args.run, &first.cluster), Ok)?;
    if args.seeds > 1 || executor != Executor::Local {
        return seeds::several(args, &arch, first.seeds(args.seeds)?, settings, &executor);
    }
    let settings = first;
    if let Some(out) = &args.run.out {
        check_layout(out, false)?;
        if let Some(run) = finished(out, &settings, &arch)? {
            check_data(&[out], &settings)?;
            eprint_line(&format!("the training in {} is finished", out.display()));
            print_result(&run.result, out, args.run.json)?;
            return Ok(ExitStatus::Success);
        }
    }
    let kind = RunKind::Retrain(arch.clone());
    stand_alone(SingleRun::with_settings(settings, args.run.out.as_deref(), &args.run, kind)?, &arch)
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
                |config, data, state| {
                    new_or_restored_training(&StandAloneTrainer::new(config, data, &device)?, arch, config.seed, state)
                },
                StandAloneRun::run,
            )
        })
    })
}

/// A new training, or one that continues from a state.
///
/// # Errors
/// An architecture that does not connect, and a state that does not fit.
pub fn new_or_restored_training<D: TrainingDevice>(
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
        (Some(arch), None) => Ok(arch.clone()),
        (Some(arch), Some(dir)) => {
            archive::manifest(dir).with_context(|| from_option(dir))?;
            Ok(arch.clone())
        }
        (None, Some(dir)) => selected(dir),
        (None, None) => Err(UsageError("`retrain` requires --arch ARCH or --from RUN".into()).into()),
    }
}

/// The architecture that a run has selected.
fn selected(dir: &Path) -> Result<String> {
    let Archived::Run(run) = Archived::read(dir).with_context(|| from_option(dir))? else {
        let problem = "expected a run of a supernet with a selected architecture";
        return Err(
            UsageError(format!("{}: {problem}; give an architecture with --arch ARCH", from_option(dir))).into()
        );
    };
    let RunResult { selected, .. } = run.result;
    let without =
        || UsageError(format!("{}: the run has no selected architecture; give one with --arch ARCH", from_option(dir)));
    let arch = selected.ok_or_else(without)?.arch;
    eprint_line(&format!("architecture {arch} of {}", dir.display()));
    Ok(arch)
}

/// The option with its directory, for error messages.
fn from_option(dir: &Path) -> String {
    format!("--from {}", dir.display())
}

/// The training that this process has finished.
fn archived(dir: &Path) -> Result<ArchivedRetrain> {
    match Archived::read_named(dir)? {
        Archived::Retrain(run) => Ok(*run),
        _ => Err(Incomplete::Missing("result.json".into()).into()),
    }
}
