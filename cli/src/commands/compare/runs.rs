//! The runs of a comparison: made once, found again, repeated if they were interrupted.

use crate::archive;
use crate::args::ProgressMode;
use crate::exit::UsageError;
use crate::progress::{Live, Progress};
use crate::record::{OutDir, Recorder};
use crate::report::Outcome;
use crate::run::both;
use crate::settings::Settings;
use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use nas_core::event::Observer;
use nas_core::trainer::RunError;
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
}

impl Planned {
    /// Whether the run is there already.
    ///
    /// # Errors
    /// A finished run of other settings in its place.
    pub fn is_done(&self) -> Result<bool> {
        if archive::finished(&self.dir).is_err() {
            return Ok(false);
        }
        let there = archive::config(&self.dir).with_context(|| self.dir.display().to_string())?;
        match first_difference(&there, &self.settings.config)? {
            // The result may be torn even though the manifest is whole.
            None => Ok(archive::Folder::read(&self.dir).is_ok()),
            Some(key) => Err(UsageError(format!(
                "{} holds a run with another {key}: repeat the comparison with the settings that it was started with, \
                 or choose another --out",
                self.dir.display()
            ))
            .into()),
        }
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
        let mut recorder = Recorder::create(OutDir::Given(self.dir.clone()), &self.settings)?
            .with_tensorboard(self.tensorboard.as_deref())?;
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

/// The first key in which two configurations differ, those aside that no result depends on.
fn first_difference(a: &RunConfig, b: &RunConfig) -> Result<Option<String>> {
    let table = |config: &RunConfig| {
        let mut config = config.clone();
        (config.threads, config.device) = (0, String::new());
        config.to_table()
    };
    let (a, b) = (table(a)?, table(b)?);
    for (section, value) in &b {
        match (value, a.get(section)) {
            (value, Some(other)) if value == other => {}
            (toml::Value::Table(new), Some(toml::Value::Table(old))) => {
                let differs = new.keys().chain(old.keys()).find(|key| new.get(*key) != old.get(*key));
                return Ok(differs.map(|key| format!("{section}.{key}")));
            }
            _ => return Ok(Some(section.clone())),
        }
    }
    Ok(None)
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
    fn the_key_that_differs_is_named() {
        let config = RunConfig::from_table(&Table::new()).unwrap();
        let changed = |change: &dyn Fn(&mut RunConfig)| {
            let mut other = config.clone();
            change(&mut other);
            first_difference(&config, &other).unwrap()
        };
        assert_eq!(changed(&|_| ()), None);
        assert_eq!(changed(&|c| c.threads = 7), None);
        assert_eq!(changed(&|c| c.seed = 1).as_deref(), Some("seed"));
        assert_eq!(changed(&|c| c.train.lr = 1.0).as_deref(), Some("train.lr"));
        let added = changed(&|c| drop(c.strategy.options.insert("k".into(), 1.into())));
        assert_eq!(added.as_deref(), Some("strategy.k"));
    }
}
