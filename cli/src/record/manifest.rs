//! `manifest.json`: the program, machine, plugins and command line of a run, and its status.

use crate::data::DataIdentity;
use crate::files;
use anyhow::{Context, Result};
use jiff::ZonedDateTime;
use nas_core::config::RunConfig;
use nas_core::result::SCHEMA;
use nas_plugin_host::Plugin;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

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
    data: DataIdentity,
    started: String,
    ended: Option<String>,
    status: Status,
    error: Option<String>,
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
    /// Writes the manifest at the start of a run.
    ///
    /// # Errors
    /// The file exists, because another run writes to the directory, or it cannot be written.
    pub fn start(dir: &Path, config: &RunConfig, data: &DataIdentity) -> Result<Self> {
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
            data: data.clone(),
            started: now(),
            ended: None,
            status: Status::Running,
            error: None,
        };
        let manifest = Self { path: dir.join("manifest.json"), content };
        let mut file = File::create_new(&manifest.path).with_context(|| manifest.failed())?;
        file.write_all(manifest.text()?.as_bytes()).with_context(|| manifest.failed())?;
        Ok(manifest)
    }

    /// Replaces the manifest by one with the final status.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn end(mut self, status: Status, error: Option<String>) -> Result<()> {
        self.content.status = status;
        self.content.error = error;
        self.content.ended = Some(now());
        files::write(&self.path, &self.text()?)
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
        let name = fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("COMPUTERNAME").ok());
        Self {
            name: name.map(|name| name.trim().into()),
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
