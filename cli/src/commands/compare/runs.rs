//! The runs of a comparison. A finished run is kept, an interrupted one is repeated.

use super::place;
use crate::archive::{Archived, Incomplete};
use crate::args::ProgressMode;
use crate::data::DataIdentity;
use crate::exit::UsageError;
use crate::progress::{ProgressBars, ProgressDisplay};
use crate::record::{OutDir, Recorder};
use crate::settings::{Settings, first_difference};
use crate::single_run::record_then_show;
use crate::summary::Outcome;
use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use nas_core::event::Observer;
use nas_core::trainer::RunError;
use serde_json::Value;
use std::path::PathBuf;

/// A run, or a sequence, of a comparison.
#[derive(Debug, Clone)]
pub struct PlannedRun {
    /// The label of its variant.
    pub label: String,
    /// The seed of the run; equal to that of its settings.
    pub seed: u64,
    /// The configuration, and the origin of each value.
    pub settings: Settings,
    /// The run directory.
    pub dir: PathBuf,
    /// The directory for TensorBoard event files.
    pub tensorboard: Option<PathBuf>,
    /// The identity of the data set.
    pub data: DataIdentity,
    /// SHA-256 of the truth table; none if the run is not compared with one.
    pub truth: Option<String>,
    /// The number of architectures trained one after another; none for a run.
    pub sequence: Option<usize>,
}

impl PlannedRun {
    /// Whether the directory holds the finished run, made with the same settings and files.
    ///
    /// # Errors
    /// The directory holds a finished run with other settings or files, one that cannot be read, or something that this
    /// comparison did not make.
    pub fn is_done(&self, bars: &ProgressBars) -> Result<bool> {
        let archived = match Archived::read(&self.dir) {
            Ok(archived) => archived,
            Err(error) => {
                let context = || self.dir.display().to_string();
                let Some(incomplete) = error.downcast_ref::<Incomplete>() else {
                    return Err(error).with_context(context);
                };
                place::check(&self.dir, self.tensorboard.as_deref(), incomplete)?;
                // Unlike an interrupted run, a damaged one is unexpected, so the user is informed.
                if incomplete.is_damage() {
                    bars.print_line(&format!("{} is repeated: {incomplete}", context()));
                }
                return Ok(false);
            }
        };
        self.refuse(other_settings(archived.config(), &self.settings.config)?)?;
        self.refuse(self.other_device(archived.manifest()))?;
        self.refuse(self.other_plugin(archived.manifest()))?;
        self.refuse(self.other_data(archived.manifest()))?;
        self.refuse(match &archived {
            Archived::Run(run) => {
                let truth = run.result.truth.as_ref().map(|truth| &truth.sha256);
                (truth != self.truth.as_ref()).then(|| "content of the truth table".into())
            }
            Archived::Sequence(sequence) => {
                let (old, new) = (sequence.result.sequence, self.sequence.unwrap_or(0));
                (old != new).then(|| format!("--sequence ({old}, now {new})"))
            }
        })?;
        Ok(true)
    }

    /// Returns an error if the finished run differs in `other`, for example `train.lr (0.05, now 0.01)`.
    fn refuse(&self, other: Option<String>) -> Result<()> {
        let Some(other) = other else { return Ok(()) };
        Err(UsageError(format!(
            "{} holds a run with another {other}: resume with the original arguments and files, or choose another --out",
            self.dir.display()
        ))
        .into())
    }

    /// Both devices, if one is the CPU and the other a GPU. Results do not depend on the number of threads or on the GPU.
    fn other_device(&self, manifest: &Value) -> Option<String> {
        let (old, new) = (manifest["device"].as_str().unwrap_or_default(), self.settings.config.device.as_str());
        let kind = |name: &str| name.split(':').next().unwrap_or_default().to_owned();
        (kind(old) != kind(new)).then(|| format!("device ({old}, now {new})"))
    }

    /// Both data sets, if their content differs.
    fn other_data(&self, manifest: &Value) -> Option<String> {
        let old = DataIdentity::of(manifest);
        (old.as_ref() != Some(&self.data)).then(|| {
            let old = old.map_or("without a fingerprint".into(), |old| old.to_string());
            format!("data set ({old}, now {})", self.data)
        })
    }

    /// The plugin of the strategy, if it was rebuilt after the run.
    fn other_plugin(&self, manifest: &Value) -> Option<String> {
        let strategy = &self.settings.config.strategy.name;
        let loaded = nas_plugin_host::loaded();
        let plugin = loaded.iter().find(|plugin| plugin.strategies.iter().any(|own| own.name == *strategy))?;
        let recorded = manifest["plugins"].as_array().into_iter().flatten();
        let mut of_strategy = recorded.filter(|recorded| recorded["strategies"].get(strategy).is_some());
        let same = of_strategy.any(|recorded| recorded["sha256"].as_str() == Some(plugin.sha256.as_str()));
        (!same).then(|| format!("build of the plugin {}", plugin.path.display()))
    }

    /// Makes the run and returns whether it finished, false after an interrupt signal. Files of an earlier, unfinished
    /// run are removed first.
    ///
    /// # Errors
    /// Any error that stops the run, and files that cannot be written.
    pub fn make<R: Outcome>(
        &self,
        bars: &ProgressBars,
        mode: ProgressMode,
        work: impl FnOnce(&mut dyn Observer) -> Result<R, RunError>,
    ) -> Result<bool> {
        place::prepare(&self.dir, self.tensorboard.as_deref())?;
        let out = OutDir::Prepared(self.dir.clone());
        let mut recorder = Recorder::create(out, &self.settings, &self.data, self.tensorboard.as_deref())?;
        let mut progress = ProgressDisplay::labelled(format!("{} seed {}", self.label, self.seed), mode, bars);
        let outcome = work(&mut record_then_show(&mut recorder, &mut progress));
        match outcome {
            Ok(result) => {
                let finished = !result.interrupted();
                recorder.finish(&result)?;
                Ok(finished)
            }
            Err(error) => {
                let error = anyhow::Error::from(error).context(format!("{} with seed {}", self.label, self.seed));
                recorder.fail(&error);
                Err(error)
            }
        }
    }
}

/// The first key in which two configurations differ, with both values. Keys that no result depends on are ignored: threads,
/// device, plugins and the directory of the data.
fn other_settings(old: &RunConfig, new: &RunConfig) -> Result<Option<String>> {
    let table = |config: &RunConfig| {
        let mut config = config.clone();
        (config.threads, config.device, config.plugins) = (0, String::new(), Vec::new());
        // The fingerprints of the data are compared instead.
        config.data.dir = None;
        config.to_table()
    };
    Ok(first_difference(&table(old)?, &table(new)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::Table;

    #[test]
    fn keys_that_no_result_depends_on_may_change() {
        let config = RunConfig::from_table(&Table::new()).unwrap();
        let changed = |change: &dyn Fn(&mut RunConfig)| {
            let mut other = config.clone();
            change(&mut other);
            other_settings(&config, &other).unwrap()
        };
        assert_eq!(changed(&|_| ()), None);
        assert_eq!(changed(&|c| c.threads = 7), None);
        assert_eq!(changed(&|c| c.data.dir = Some("/moved".into())), None);
        assert_eq!(changed(&|c| c.plugins.push("new.so".into())), None);
        assert_eq!(changed(&|c| c.seed = 1).as_deref(), Some("seed (0, now 1)"));
        let added = changed(&|c| drop(c.strategy.options.insert("k".into(), 1.into())));
        assert_eq!(added.as_deref(), Some("strategy.k (not set, now 1)"));
    }
}
