//! Paths that are not run directories: what they are instead, for the error message.

use crate::comparison::is_comparison;
use crate::sharding;
use crate::trainings::seed_directories;
use std::path::{Path, PathBuf};

/// What a path without `manifest.json` is. Users may mistake the directory of a comparison, of several trainings or of
/// a search for that of a run.
pub fn description(path: &Path) -> String {
    if !path.exists() {
        return "it does not exist".into();
    }
    if path.is_file() {
        return "it is a file".into();
    }
    if path.join("search.json").is_file() {
        return "it has the result of `nas-train search`; name the run that was searched (front.csv has the architectures)"
            .into();
    }
    let run_below = first_run(&path.join("runs"));
    if let Some(run) = run_below.as_ref().filter(|_| is_comparison(path)) {
        let remedy = "to continue the comparison, repeat its command";
        return format!("it is a comparison with runs such as {}; {remedy}", run.display());
    }
    if let Some(training) = seed_directories(path).ok().and_then(|found| found.into_iter().next()) {
        let remedy = "to continue them, repeat the command of `nas-train retrain`";
        return format!("it has trainings with several seeds, such as {}; {remedy}", training.display());
    }
    match run_below.or_else(|| first_run(path)) {
        Some(run) => format!("it has no manifest.json; did you mean {}?", run.display()),
        None => "it has no manifest.json".into(),
    }
}

/// The first run directory in a directory, by name.
fn first_run(dir: &Path) -> Option<PathBuf> {
    sharding::entries(dir).ok()?.into_iter().find(|path| path.join("manifest.json").is_file())
}
