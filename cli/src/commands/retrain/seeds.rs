//! Stand-alone training with several seeds.

use super::earlier::{check_data, check_layout, finished};
use super::{archived, cluster, stand_alone};
use crate::archive::ArchivedRetrain;
use crate::args::{RetrainArgs, RunArgs};
use crate::cluster::{ClusterDir, Executor, HandOverOutcome, check_no_tasks};
use crate::exit::{ExitStatus, UsageError, chained};
use crate::run_kind::RunKind;
use crate::settings::Settings;
use crate::single_run::{SingleRun, print_result};
use crate::summary::seeds_table;
use crate::text::{eprint_line, print};
use crate::trainings::{TrainingGroup, seed_directory};
use anyhow::{Error, Result};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The training with one seed.
pub struct SeedTraining {
    /// Its run directory.
    pub dir: PathBuf,
    /// Its settings, with the seed.
    pub settings: Settings,
    /// The result of an earlier call.
    done: Option<ArchivedRetrain>,
}

/// The results and errors of the trainings of a command.
struct SeedResults {
    runs: Vec<ArchivedRetrain>,
    failed: Vec<Error>,
}

/// Trains with several seeds, one after another, and prints a table of all of them.
///
/// # Errors
/// As [`retrain`](super::retrain).
pub fn several(
    args: &RetrainArgs,
    arch: &str,
    seeds: Range<u64>,
    settings: impl Fn(&[String]) -> Result<Settings>,
    executor: &Executor,
) -> Result<ExitStatus> {
    let option = if *executor == Executor::Local { "--seeds" } else { "--cluster" };
    let out = args.run.out.as_ref().ok_or_else(|| UsageError(format!("{option} requires --out DIR")))?;
    check_layout(out, true)?;
    if *executor == Executor::Local {
        check_no_tasks(&ClusterDir::of(out))?;
    }
    let mut trainings = Vec::new();
    let first = seeds.start;
    for seed in seeds {
        let (dir, settings) = (seed_directory(out, first, seed), settings(&[format!("seed={seed}")])?);
        let done = finished(&dir, &settings, arch)?;
        trainings.push(SeedTraining { dir, settings, done });
    }
    if let Some(first) = trainings.first() {
        let dirs: Vec<&Path> = trainings.iter().map(|training| training.dir.as_path()).collect();
        check_data(&dirs, &first.settings)?;
    }
    let mut results = SeedResults { runs: Vec::new(), failed: Vec::new() };
    if let Executor::Cluster { config, detach } = executor {
        match cluster::hand_over(args, arch, &trainings, config, *detach)? {
            HandOverOutcome::Ended(failed) => results.failed = failed,
            HandOverOutcome::StillRunning(status) => return Ok(status),
        }
    }
    for training in trainings {
        match training.result(arch, executor)? {
            Some(run) => results.add(run, &training.dir, args.run.json)?,
            None if *executor == Executor::Local => match results.train(args, arch, training)? {
                ExitStatus::Success => {}
                status => {
                    results.failed.iter().for_each(|error| eprint_line(&format!("error: {}", chained(error))));
                    return Ok(status);
                }
            },
            None => eprint_line(&format!("the training in {} is not finished", training.dir.display())),
        }
    }
    results.print(out, args.run.json)
}

impl SeedTraining {
    /// The result of an earlier call, or of the tasks of a cluster.
    fn result(&self, arch: &str, executor: &Executor) -> Result<Option<ArchivedRetrain>> {
        match executor {
            Executor::Local => Ok(self.done.clone()),
            _ if self.dir.exists() => finished(&self.dir, &self.settings, arch),
            _ => Ok(None),
        }
    }
}

impl SeedResults {
    fn add(&mut self, run: ArchivedRetrain, dir: &Path, json: bool) -> Result<()> {
        if json {
            print_result(&run.result, dir, true)?;
        }
        self.runs.push(run);
        Ok(())
    }

    /// Makes a training. An error is kept or printed, so that the remaining trainings continue.
    fn train(&mut self, args: &RetrainArgs, arch: &str, training: SeedTraining) -> Result<ExitStatus> {
        let SeedTraining { dir, settings, .. } = training;
        // Event files of different trainings must not mix.
        let seed = format!("seed-{}", settings.config.seed);
        let tensorboard = args.run.tensorboard.as_ref().map(|dir| dir.join(seed));
        let options = RunArgs { tensorboard, ..args.run.clone() };
        let kind = RunKind::Retrain(arch.into());
        let run = SingleRun::with_settings(settings, Some(&dir), &options, kind);
        match run.and_then(|run| stand_alone(run.one_of_several(), arch)) {
            Ok(ExitStatus::Success) => self.runs.push(archived(&dir)?),
            Ok(status) => return Ok(status),
            // The first error is printed at the end.
            Err(error) if self.failed.is_empty() => self.failed.push(error.context(dir.display().to_string())),
            Err(error) => eprint_line(&format!("error: {}: {}", dir.display(), chained(&error))),
        }
        Ok(ExitStatus::Success)
    }

    /// Prints the table of the finished trainings. Returns the first error of the others.
    fn print(self, out: &Path, json: bool) -> Result<ExitStatus> {
        if !json && !self.runs.is_empty() {
            print(&seeds_table(&TrainingGroup { name: out.display().to_string(), runs: self.runs }))?;
        }
        self.failed.into_iter().next().map_or(Ok(ExitStatus::Success), Err)
    }
}
