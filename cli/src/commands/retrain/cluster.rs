//! Stand-alone trainings with several seeds that are made on a cluster.

use super::seeds::SeedTraining;
use crate::args::RetrainArgs;
use crate::cluster::{ClusterDir, HandOver, HandOverOutcome, PlanEntry, PlannedWork};
use crate::data::LoadedData;
use crate::progress::ProgressDisplay;
use crate::run_kind::RunKind;
use crate::signal::cancel;
use anyhow::Result;
use nas_core::config::ClusterConfig;
use std::path::Path;

/// Hands the trainings in these directories to a scheduler and waits for them.
///
/// # Errors
/// Data that cannot be read, and the errors of [`HandOver::execute`].
pub fn hand_over(
    args: &RetrainArgs,
    arch: &str,
    trainings: &[SeedTraining],
    config: &ClusterConfig,
    detach: bool,
) -> Result<HandOverOutcome> {
    let Some(SeedTraining { dir: first, settings, .. }) = trainings.first() else {
        return Ok(HandOverOutcome::Ended(Vec::new()));
    };
    let (cancel, mut progress) = (cancel()?, ProgressDisplay::new(args.run.progress));
    let data = LoadedData::read(settings, cancel, |line| progress.print_line(line))?;
    let out = first.parent().unwrap_or(Path::new(""));
    let dir = ClusterDir::of(&std::path::absolute(out)?);
    let mut runs = Vec::new();
    for SeedTraining { dir, settings, .. } in trainings {
        let name = dir.strip_prefix(out).unwrap_or(dir).to_string_lossy().into_owned();
        let work = PlannedWork::Directory(RunKind::Retrain(arch.into()));
        runs.push(PlanEntry::new(name.clone(), name, work, None, &settings.config)?);
    }
    let threads = settings.config.threads;
    let is_done = |number: usize| {
        let SeedTraining { dir, settings, .. } = &trainings[number];
        Ok(super::finished(dir, settings, arch)?.is_some())
    };
    let hand_over = HandOver { dir, runs, data: &data.identity, config, detach, threads, is_done: &is_done, cancel };
    hand_over.execute(&mut progress)
}
