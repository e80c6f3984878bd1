//! `manifest.json`: the program, machine, plugins and command line of a run, and its status.

use super::RunFacts;
use super::run_file::FileDigest;
use super::saving::CheckpointCost;
use crate::data::DataIdentity;
use crate::files;
use crate::machine;
use anyhow::{Context, Result};
use jiff::ZonedDateTime;
use nas_core::read_file;
use nas_core::result::SCHEMA;
use nas_plugin_host::Plugin;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Largest size of a manifest, in bytes.
const MAX_SIZE: u64 = 1 << 24;

/// The status of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The run has not ended, or its process was killed.
    Running,
    /// The run is complete.
    Finished,
    /// Ctrl-C or a termination signal ended the run after a step.
    Interrupted,
    /// The run ended with an error.
    Failed,
}

#[derive(Debug, Serialize)]
struct Content {
    schema: u32,
    program: &'static str,
    version: &'static str,
    git: Option<Git>,
    rustc: Option<&'static str>,
    argv: Vec<String>,
    cwd: Option<String>,
    host: Host,
    device: String,
    threads: usize,
    plugins: Vec<LoadedPlugin>,
    seed: u64,
    /// Number of architectures trained one after another; none for other kinds of runs.
    sequence: Option<usize>,
    /// The architecture of a stand-alone training; none for other kinds of runs.
    arch: Option<String>,
    data: DataIdentity,
    /// The name of the TensorBoard event file.
    tensorboard: Option<String>,
    /// The directory of the event file.
    tensorboard_dir: Option<String>,
    started: String,
    /// One entry for each time that the run was resumed: the time and the number of steps.
    resumes: Vec<Value>,
    /// The checkpoints that the last process wrote.
    checkpoints: CheckpointCost,
    ended: Option<String>,
    status: Status,
    error: Option<String>,
    /// The files of a run that has ended without an error, by name.
    files: BTreeMap<&'static str, FileDigest>,
}

/// The commit from which the program was built.
#[derive(Debug, Serialize)]
struct Git {
    commit: &'static str,
    /// Whether the sources differed from the commit.
    dirty: bool,
}

/// A plugin that was loaded when the run started.
#[derive(Debug, Serialize)]
struct LoadedPlugin {
    path: String,
    sha256: &'static str,
    /// Version of each strategy, by name.
    strategies: BTreeMap<&'static str, &'static str>,
}

impl LoadedPlugin {
    fn of(plugin: &'static Plugin) -> Self {
        let path = plugin.path.to_string_lossy().into_owned();
        let strategies = plugin.strategies.iter().map(|s| (s.name, s.version)).collect();
        Self { path, sha256: &plugin.sha256, strategies }
    }
}

#[derive(Debug, Serialize)]
struct Host {
    name: Option<String>,
    os: &'static str,
    arch: &'static str,
    cores: Option<usize>,
}

/// The manifest of a run in progress.
#[derive(Debug)]
pub struct Manifest {
    path: PathBuf,
    content: Content,
}

impl Manifest {
    /// Writes the manifest at the start of a run. It is the first file of the run, so it reserves the directory.
    ///
    /// # Errors
    /// Another run has reserved the directory, or the file cannot be written.
    pub fn start(dir: &Path, facts: RunFacts<'_>, event_file: Option<String>) -> Result<Self> {
        let mut manifest = Self::new(dir, facts);
        if let Some(events) = facts.tensorboard {
            let events = std::path::absolute(events).with_context(|| format!("the directory {}", events.display()))?;
            manifest.content.tensorboard_dir = Some(events.to_string_lossy().into_owned());
        }
        manifest.content.tensorboard = event_file;
        let mut file = match File::create_new(&manifest.path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(files::in_use(dir)),
            file => file.with_context(|| manifest.failed())?,
        };
        let written = file.write_all(manifest.text()?.as_bytes()).with_context(|| manifest.failed());
        written.inspect_err(|_| drop(fs::remove_file(&manifest.path)))?;
        Ok(manifest)
    }

    /// Replaces the manifest of an unfinished run by that of this process, which continues at `step`. The start, the
    /// command line and the earlier resumes stay.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn resume(dir: &Path, facts: RunFacts<'_>, step: u64) -> Result<Self> {
        let mut manifest = Self::new(dir, facts);
        let text = read_file::text(&manifest.path, MAX_SIZE);
        let text = text.with_context(|| format!("cannot read {}", manifest.path.display()))?;
        let old: Value =
            serde_json::from_str(&text).with_context(|| format!("{} is damaged", manifest.path.display()))?;
        let content = &mut manifest.content;
        let field = |key: &str| old[key].as_str().map(str::to_owned);
        let resumed = json!({"time": now(), "step": step, "argv": content.argv});
        if let Ok(argv) = serde_json::from_value(old["argv"].clone()) {
            (content.argv, content.cwd) = (argv, field("cwd"));
        }
        (content.tensorboard, content.tensorboard_dir) = (field("tensorboard"), field("tensorboard_dir"));
        content.started = field("started").unwrap_or_else(now);
        content.resumes = old["resumes"].as_array().cloned().unwrap_or_default();
        content.resumes.push(resumed);
        files::write(&manifest.path, &manifest.text()?)?;
        Ok(manifest)
    }

    fn new(dir: &Path, RunFacts { settings, data, kind, .. }: RunFacts<'_>) -> Self {
        let config = &settings.config;
        let content = Content {
            schema: SCHEMA,
            program: "nas-train",
            version: env!("CARGO_PKG_VERSION"),
            git: option_env!("NAS_GIT_COMMIT")
                .map(|commit| Git { commit, dirty: option_env!("NAS_GIT_DIRTY") == Some("true") }),
            rustc: option_env!("NAS_RUSTC"),
            argv: std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect(),
            cwd: std::env::current_dir().ok().map(|dir| dir.to_string_lossy().into_owned()),
            host: Host::this(),
            device: config.device.clone(),
            threads: rayon::current_num_threads(),
            plugins: nas_plugin_host::loaded().into_iter().map(LoadedPlugin::of).collect(),
            seed: config.seed,
            sequence: kind.sequence(),
            arch: kind.arch().map(Into::into),
            data: data.clone(),
            tensorboard: None,
            tensorboard_dir: None,
            started: now(),
            resumes: Vec::new(),
            checkpoints: CheckpointCost::default(),
            ended: None,
            status: Status::Running,
            error: None,
            files: BTreeMap::new(),
        };
        Self { path: dir.join("manifest.json"), content }
    }

    /// Sets what the checkpoints of this process have cost.
    pub fn set_checkpoints(&mut self, cost: CheckpointCost) {
        self.content.checkpoints = cost;
    }

    /// What must be equal when a run is resumed: the version of the program, the data and the plugins.
    pub fn identity(&self) -> Map<String, Value> {
        let Content { version, data, plugins, .. } = &self.content;
        let plugins: BTreeMap<&str, &str> =
            plugins.iter().flat_map(|plugin| plugin.strategies.keys().map(|name| (*name, plugin.sha256))).collect();
        let identity = json!({"version": version, "data": data, "plugins": plugins});
        identity.as_object().cloned().unwrap_or_default()
    }

    /// Replaces the manifest by one with the final status and the digests of the files.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn end(&mut self, status: Status, files: BTreeMap<&'static str, FileDigest>) -> Result<()> {
        self.set(status, None, files);
        files::write(&self.path, &self.text()?)
    }

    /// Replaces the manifest by one with the status `failed` and the error. A full disk has no room for a second file,
    /// so the manifest is then overwritten.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn fail(&mut self, error: String) -> Result<()> {
        self.set(Status::Failed, Some(error), BTreeMap::new());
        let text = self.text()?;
        files::write(&self.path, &text).or_else(|_| files::overwrite(&self.path, &text))
    }

    fn set(&mut self, status: Status, error: Option<String>, files: BTreeMap<&'static str, FileDigest>) {
        self.content.status = status;
        self.content.error = error;
        self.content.files = files;
        self.content.ended = Some(now());
    }

    fn text(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(&self.content)? + "\n")
    }

    fn failed(&self) -> String {
        format!("cannot write {}", self.path.display())
    }
}

impl Host {
    fn this() -> Self {
        Self {
            name: machine::host(),
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            cores: std::thread::available_parallelism().ok().map(usize::from),
        }
    }
}

/// The local time with its UTC offset, in seconds: `2026-11-28T18:00:00+01:00`.
fn now() -> String {
    ZonedDateTime::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_kind::RunKind;
    use serde_json::Value;

    fn start(dir: &Path) -> Result<Manifest> {
        let config = dir.join("given.toml");
        fs::write(&config, "").unwrap();
        let settings = crate::settings::Settings::of_file(&config).unwrap();
        let data = DataIdentity::default();
        Manifest::start(
            dir,
            RunFacts { settings: &settings, data: &data, kind: &RunKind::Supernet, tensorboard: None },
            None,
        )
    }

    #[test]
    fn the_first_run_reserves_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        start(dir.path()).unwrap();
        assert!(start(dir.path()).unwrap_err().to_string().contains("is in use by another nas-train process"));
    }

    #[test]
    fn a_failed_run_says_so_where_no_second_file_can_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut manifest = start(dir.path()).unwrap();
        // A directory in place of the temporary file makes the rename impossible.
        fs::create_dir(dir.path().join("manifest.json.new")).unwrap();
        assert!(manifest.end(Status::Finished, BTreeMap::new()).is_err());
        manifest.fail("no space".into()).unwrap();
        let text = fs::read_to_string(dir.path().join("manifest.json")).unwrap();
        let written: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&written["status"], &written["error"]), (&"failed".into(), &"no space".into()));
    }
}
