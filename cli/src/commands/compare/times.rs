//! `step_times.json`: the duration of a step of each variant. It is measured once, so that a resumed comparison plans
//! the same lengths.

use crate::files;
use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use nas_core::read_file;
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

/// A measurement, with the number of threads and the configuration that it is valid for.
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

    /// Seconds per step; none unless measured with this configuration and this number of threads.
    pub fn get(&self, label: &str, config: &RunConfig, threads: usize) -> Result<Option<f64>> {
        let config = config.to_table()?.to_string();
        let found = self.times.get(label).filter(|time| time.threads == threads && time.config == config);
        Ok(found.map(|time| time.seconds))
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
        assert_eq!(found.get("plain", &config, 1).unwrap(), None);
        assert_eq!(found.get("ogd", &config, 2).unwrap(), None);
        let mut wider = config.clone();
        wider.space.width = 16;
        assert_eq!(found.get("plain", &wider, 2).unwrap(), None);
        fs::write(dir.path().join("step_times.json"), "{").unwrap();
        assert!(open().err().unwrap().to_string().contains("is damaged"));
    }
}
