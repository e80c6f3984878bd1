//! Stand-alone trainings of `nas-train retrain`, grouped by all settings except the seed.

use crate::archive::ArchivedRetrain;
use crate::exit::UsageError;
use crate::settings::other_settings_of_training;
use crate::sharding::{self, run_directory};
use anyhow::Result;
use nas_core::config::RunConfig;
use nas_core::metrics::Summary;
use nas_core::result::StandAloneResult;
use std::io;
use std::path::{Path, PathBuf};

/// Beginning of the name of the run directory of a seed.
const SEED: &str = "seed-";

/// Trainings that differ in their seeds only.
#[derive(Debug, Clone)]
pub struct TrainingGroup {
    /// The directory of the first one, as the user named it. `retrain --seeds` has one for all seeds.
    pub name: String,
    /// The trainings by ascending seed, at least one.
    pub runs: Vec<ArchivedRetrain>,
}

impl TrainingGroup {
    /// The result of the first seed. Architecture, space and sizes are the same for all seeds.
    pub fn first(&self) -> &StandAloneResult {
        &self.runs[0].result
    }

    /// Mean and deviation of a figure over the seeds; none if a training lacks it or has a value that is not finite.
    pub fn summary(&self, figure: impl Fn(&StandAloneResult) -> Option<f64>) -> Option<Summary> {
        let values: Option<Vec<f64>> = self.runs.iter().map(|run| figure(&run.result)).collect();
        Summary::of(&values?).ok()
    }
}

/// Adds a training to the group of its settings, or to a new group with this name.
///
/// # Errors
/// The group has a training with the same seed: it has the same bits, so it must not count as a further seed.
pub fn add(groups: &mut Vec<TrainingGroup>, name: &str, run: ArchivedRetrain) -> Result<()> {
    let Some(at) = position(groups, &run)? else {
        groups.push(TrainingGroup { name: name.into(), runs: vec![run] });
        return Ok(());
    };
    let runs = &mut groups[at].runs;
    match runs.binary_search_by_key(&run.result.seed, |other| other.result.seed) {
        Err(index) => runs.insert(index, run),
        Ok(same) => {
            let (path, other) = (run.path.display(), runs[same].path.display());
            let problem = format!("{path} is the same training as {other}, with the same seed: name one of them");
            return Err(UsageError(problem).into());
        }
    }
    Ok(())
}

/// The group to which a training belongs.
fn position(groups: &[TrainingGroup], run: &ArchivedRetrain) -> Result<Option<usize>> {
    let without_seed = |run: &ArchivedRetrain| RunConfig { seed: 0, ..run.config.clone() };
    for (at, group) in groups.iter().enumerate() {
        let first = &group.runs[0];
        let same = first.result.arch == run.result.arch && first.manifest["data"] == run.manifest["data"];
        if same && other_settings_of_training(&without_seed(first), &without_seed(run))?.is_none() {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// The run directory of a seed in the directory of `retrain --seeds`, whose first seed is `first`.
pub fn seed_directory(path: &Path, first: u64, seed: u64) -> PathBuf {
    run_directory(path, &format!("{SEED}{seed}"), seed - first)
}

/// The run directories of all seeds in a directory of `retrain --seeds`.
///
/// # Errors
/// The directory cannot be read.
pub fn seed_directories(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = sharding::entries(path)?;
    let is_seed = |dir: &Path| dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SEED));
    found.retain(|dir| is_seed(dir) && dir.join("manifest.json").exists());
    Ok(found)
}
