//! The runs of a comparison: made once, found again, repeated if they were interrupted.

use crate::archive::{self, Folder, Incomplete};
use crate::args::ProgressMode;
use crate::exit::UsageError;
use crate::progress::{Live, Progress};
use crate::record::{OutDir, Recorder};
use crate::report::Outcome;
use crate::run::both;
use crate::settings::{Settings, first_difference};
use crate::tensorboard::EventFile;
use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use nas_core::event::Observer;
use nas_core::trainer::RunError;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// A run that the comparison needs.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The variant.
    pub label: String,
    /// The seed.
    pub seed: u64,
    /// Its settings.
    pub settings: Settings,
    /// Its directory.
    pub dir: PathBuf,
    /// Where its TensorBoard events go.
    pub tensorboard: Option<PathBuf>,
    /// Hash of the truth table that it is compared with, if with any.
    pub truth: Option<String>,
    /// How many architectures it trains one after another; none for a run.
    pub sequence: Option<usize>,
}

impl Planned {
    /// Whether the run is there already, made from the same settings and files.
    ///
    /// # Errors
    /// A finished run of other settings or files in its place, or one that cannot be read.
    pub fn is_done(&self, live: &Live) -> Result<bool> {
        let manifest = match archive::finished(&self.dir) {
            Err(error) if error.is::<Incomplete>() => return Ok(false),
            manifest => manifest.with_context(|| self.dir.display().to_string())?,
        };
        let there = archive::config(&self.dir).with_context(|| self.dir.display().to_string())?;
        self.same(other_settings(&there, &self.settings.config)?)?;
        self.same(self.other_device(&manifest))?;
        self.same(self.other_plugin(&manifest))?;
        match Folder::read(&self.dir) {
            Ok(Folder::Run(run)) => {
                let truth = run.result.truth.as_ref().map(|truth| &truth.sha256);
                let changed = truth != self.truth.as_ref();
                self.same(changed.then(|| "content of the truth table".into()))?;
            }
            Ok(Folder::Sequence(folder)) => {
                let (old, new) = (folder.result.sequence, self.sequence.unwrap_or(0));
                self.same((old != new).then(|| format!("--sequence ({old}, now {new})")))?;
            }
            // Its manifest says that it has ended, so somebody should know.
            Err(error) if error.is::<Incomplete>() => {
                live.say(&format!("{} is made again: {error}", self.dir.display()));
                return Ok(false);
            }
            Err(error) => return Err(error.context(self.dir.display().to_string())),
        }
        Ok(true)
    }

    /// Refuses a run that was made in another way.
    fn same(&self, other: Option<String>) -> Result<()> {
        let Some(other) = other else { return Ok(()) };
        Err(UsageError(format!(
            "{} holds a run with another {other}: repeat the comparison with what it was started with, or choose another \
             --out",
            self.dir.display()
        ))
        .into())
    }

    /// Results are equal for any number of threads and any GPU, but not for CPU and GPU.
    fn other_device(&self, manifest: &Value) -> Option<String> {
        let (old, new) = (manifest["device"].as_str().unwrap_or_default(), self.settings.config.device.as_str());
        let kind = |name: &str| name.split(':').next().unwrap_or_default().to_owned();
        (kind(old) != kind(new)).then(|| format!("device ({old}, now {new})"))
    }

    /// The plugin whose strategy was trained, if that has been built anew.
    fn other_plugin(&self, manifest: &Value) -> Option<String> {
        let strategy = &self.settings.config.strategy.name;
        let loaded = nas_plugin_host::loaded();
        let plugin = loaded.iter().find(|plugin| plugin.strategies.iter().any(|own| own.name == *strategy))?;
        let noted = manifest["plugins"].as_array().into_iter().flatten();
        let mut of_strategy = noted.filter(|noted| noted["strategies"].get(strategy).is_some());
        let same = of_strategy.any(|noted| noted["sha256"].as_str() == Some(plugin.sha256.as_str()));
        (!same).then(|| format!("build of the plugin {}", plugin.path.display()))
    }

    /// Makes the run, in place of what an interruption has left; false if it was interrupted itself.
    ///
    /// # Errors
    /// Whatever stops it.
    pub fn make<R: Outcome>(
        &self,
        live: &Live,
        mode: ProgressMode,
        work: impl FnOnce(&mut dyn Observer) -> Result<R, RunError>,
    ) -> Result<bool> {
        if self.dir.exists() {
            fs::remove_dir_all(&self.dir).with_context(|| format!("cannot clear {}", self.dir.display()))?;
        }
        if let Some(dir) = &self.tensorboard {
            EventFile::clear(dir)?;
        }
        let out = OutDir::Given(self.dir.clone());
        let mut recorder = Recorder::create(out, &self.settings, self.tensorboard.as_deref())?;
        let mut progress = Progress::labelled(format!("{} seed {}", self.label, self.seed), mode, live);
        let outcome = work(&mut both(&mut recorder, &mut progress));
        match outcome {
            Ok(result) => {
                let whole = !result.interrupted();
                recorder.finish(&result)?;
                Ok(whole)
            }
            Err(error) => {
                let error = anyhow::Error::from(error).context(format!("{} with seed {}", self.label, self.seed));
                recorder.fail(&error);
                Err(error)
            }
        }
    }
}

/// The first key in which two configurations differ, with both values, those aside that no result depends on.
fn other_settings(old: &RunConfig, new: &RunConfig) -> Result<Option<String>> {
    let table = |config: &RunConfig| {
        let mut config = config.clone();
        (config.threads, config.device, config.plugins) = (0, String::new(), Vec::new());
        config.to_table()
    };
    Ok(first_difference(&table(old)?, &table(new)?))
}

/// Does nothing more once this is set.
pub fn cancelled(cancel: &AtomicBool) -> bool {
    cancel.load(std::sync::atomic::Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::Table;

    #[test]
    fn what_no_result_depends_on_makes_no_other_run() {
        let config = RunConfig::from_table(&Table::new()).unwrap();
        let changed = |change: &dyn Fn(&mut RunConfig)| {
            let mut other = config.clone();
            change(&mut other);
            other_settings(&config, &other).unwrap()
        };
        assert_eq!(changed(&|_| ()), None);
        assert_eq!(changed(&|c| c.threads = 7), None);
        assert_eq!(changed(&|c| c.plugins.push("new.so".into())), None);
        assert_eq!(changed(&|c| c.seed = 1).as_deref(), Some("seed (0, now 1)"));
        let added = changed(&|c| drop(c.strategy.options.insert("k".into(), 1.into())));
        assert_eq!(added.as_deref(), Some("strategy.k (nothing, now 1)"));
    }
}
