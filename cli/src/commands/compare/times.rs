//! `step_times.json`: the duration of a step of each variant. It is measured once, so that a resumed comparison plans
//! the same lengths.

use crate::exit::UsageError;
use crate::files;
use crate::settings::{other_device, other_settings};
use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use nas_core::{quote, read_file, toml_text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;

/// The largest size of the file in bytes.
const LIMIT: u64 = 1 << 28;

/// The step times of a comparison, by variant label.
pub struct StepTimes {
    path: PathBuf,
    times: BTreeMap<String, StepTime>,
}

/// A measurement, with the number of threads and the configuration of it.
#[derive(Debug, Serialize, Deserialize)]
struct StepTime {
    seconds: f64,
    threads: usize,
    /// The configuration as TOML.
    config: String,
}

impl StepTimes {
    /// Reads the file; without a file there are no times yet.
    ///
    /// # Errors
    /// A file that cannot be read or is damaged.
    pub fn open(path: PathBuf) -> Result<Self> {
        let times = match read_file::text(&path, LIMIT) {
            Ok(text) => serde_json::from_str(&text)
                .with_context(|| format!("{} is damaged: choose another --out", path.display()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        Ok(Self { path, times })
    }

    /// Seconds per step; none if not measured yet.
    ///
    /// # Errors
    /// The time was measured with another number of threads or other settings. Another measurement would give other
    /// lengths, with which no run of the comparison could continue.
    pub fn get(&self, label: &str, config: &RunConfig, threads: usize) -> Result<Option<f64>> {
        let Some(time) = self.times.get(label) else { return Ok(None) };
        let damaged = || format!("{} is damaged: choose another --out", self.path.display());
        let old = toml_text::parse(&time.config).map_err(|problem| UsageError(problem.to_string()));
        let old = RunConfig::from_table(&old.with_context(damaged)?).with_context(damaged)?;
        let other_threads = || {
            let numbers = format!("{}, now {threads}; --threads and --jobs determine it", time.threads);
            (time.threads != threads).then(|| format!("number of threads per run ({numbers})"))
        };
        let other = other_settings(&old, config)?.or_else(|| other_device(&old.device, &config.device));
        let other = other.or_else(other_threads);
        match other {
            None => Ok(Some(time.seconds)),
            Some(other) => {
                let problem = format!("has the step time of {} with another {other}", quote(label));
                let remedy = "repeat the original command, or choose another --out";
                Err(UsageError(format!("{} {problem}: {remedy}", self.path.display())).into())
            }
        }
    }

    /// Adds a measurement and writes the file.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn add(&mut self, label: &str, config: &RunConfig, threads: usize, seconds: f64) -> Result<()> {
        self.times.insert(label.into(), StepTime { seconds, threads, config: config.to_table()?.to_string() });
        files::write(&self.path, &(serde_json::to_string_pretty(&self.times)? + "\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use toml::Table;

    #[test]
    fn a_time_is_valid_for_one_configuration_and_number_of_threads() {
        let dir = tempfile::tempdir().unwrap();
        let open = || StepTimes::open(dir.path().join("step_times.json"));
        let config = RunConfig::from_table(&Table::new()).unwrap();
        open().unwrap().add("plain", &config, 2, 0.5).unwrap();
        let found = open().unwrap();
        assert_eq!(found.get("plain", &config, 2).unwrap(), Some(0.5));
        assert_eq!(found.get("ogd", &config, 2).unwrap(), None);
        let refusal = |config: &RunConfig, threads| found.get("plain", config, threads).unwrap_err().to_string();
        assert!(refusal(&config, 1).contains("another number of threads per run (2, now 1; --threads"));
        let mut wider = config.clone();
        wider.space.width = 16;
        assert!(refusal(&wider, 2).contains("the step time of plain with another space.width"));
        let mut moved = config.clone();
        moved.data.dir = Some("/elsewhere".into());
        assert_eq!(found.get("plain", &moved, 2).unwrap(), Some(0.5));
        fs::write(dir.path().join("step_times.json"), "{").unwrap();
        assert!(open().err().unwrap().to_string().contains("is damaged"));
    }
}
