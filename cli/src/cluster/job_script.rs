//! The job script of a plan, and the list of its commands for other schedulers.

use super::Plan;
use crate::exit::UsageError;
use crate::files;
use crate::text::shell_word;
use anyhow::{Context, Result};
use nas_core::config::ClusterConfig;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Largest size of a file with setup commands in bytes.
const MAX_SETUP: u64 = 1 << 20;

/// The parts of a job script that do not depend on the plan.
#[derive(Debug)]
pub struct JobScript<'a> {
    config: &'a ClusterConfig,
    program: PathBuf,
    setup: String,
    threads: usize,
}

impl<'a> JobScript<'a> {
    /// Reads the setup commands and checks the values of the configuration.
    ///
    /// # Errors
    /// The file of setup commands cannot be read, or a value would not be one word.
    pub fn new(config: &'a ClusterConfig, threads: usize) -> Result<Self> {
        for (key, value) in [("partition", &config.partition), ("time", &config.time)] {
            if value.contains(char::is_whitespace) {
                return Err(UsageError(format!(
                    "cluster.{key}: expected one word, found `{}`",
                    nas_core::quote(value)
                ))
                .into());
            }
        }
        if let Some(argument) = config.sbatch_args.iter().find(|argument| is_reserved(argument)) {
            let problem = "the program sets this option itself; leave it out";
            return Err(UsageError(format!("--sbatch-arg={}: {problem}", nas_core::quote(argument))).into());
        }
        if let Some(argument) = config.sbatch_args.iter().find(|argument| argument.contains(char::is_control)) {
            return Err(UsageError(format!("--sbatch-arg={}: expected one line", nas_core::quote(argument))).into());
        }
        let setup = match config.setup.as_str() {
            "" => String::new(),
            path => nas_core::read_file::text(Path::new(path), MAX_SETUP)
                .map_err(|error| UsageError(format!("--setup: cannot read {path}: {error}")))?,
        };
        let program = std::env::current_exe().context("the path of this program")?;
        Ok(Self { config, program, setup, threads })
    }

    /// Writes the script of a plan.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, plan: &Plan) -> Result<()> {
        let path = plan.dir.job_script();
        let name = plan.dir.out().to_string_lossy().into_owned();
        if name.contains(|c: char| c.is_control() || c == '"') {
            let problem =
                "the path has quotes or control characters, which `#SBATCH` lines cannot contain; choose another --out";
            return Err(UsageError(format!("{}: {problem}", nas_core::quote(&name))).into());
        }
        files::make_dir(&plan.dir.scheduler())?;
        files::write_shared(&path, &self.text(plan))
    }

    fn text(&self, plan: &Plan) -> String {
        let ClusterConfig { partition, time, gpus, pack, .. } = self.config;
        let options = [
            Some(format!("job-name={}", plan.job_name())),
            // A task that loses its node or is preempted starts again and continues.
            Some("requeue".into()),
            Some("open-mode=append".into()),
            // `B:` sends the signal to this script, which `exec` has replaced by the program.
            Some("signal=B:USR1@120".into()),
            Some(format!("chdir=\"{}\"", plan.dir.out().display())),
            (!partition.is_empty()).then(|| format!("partition={partition}")),
            (!time.is_empty()).then(|| format!("time={time}")),
            (*gpus > 0).then(|| format!("gpus={gpus}")),
            (self.threads > 0).then(|| format!("cpus-per-task={}", self.threads)),
        ];
        // Later lines override earlier ones.
        let own = (!self.config.sbatch_args.is_empty()).then(|| self.config.sbatch_args.join(" "));
        let mut text = String::from("#!/bin/bash\n");
        for option in options.into_iter().flatten() {
            let _ = writeln!(text, "#SBATCH --{option}");
        }
        if let Some(own) = own {
            let _ = writeln!(text, "#SBATCH {own}");
        }
        text += "# Makes runs of plan.jsonl: job.sh OFFSET [RUNS_PER_TASK [OPTION...]], with the index of the array added to OFFSET.\n";
        if !self.setup.is_empty() {
            // The program handles this signal; it must not end the commands before.
            let _ = writeln!(text, "trap '' USR1\n{}", self.setup.trim_end());
        }
        let (program, file) = (word(&self.program), word(&plan.dir.plan()));
        let pack = if *pack { " --pack" } else { "" };
        let _ = writeln!(
            text,
            "exec ${{NAS_TRAIN:-{program}}} cluster-task {file} --plan-sha256 {}{pack} --offset \"${{1:?}}\" --runs \"${{2:-1}}\" \"${{@:3}}\"",
            plan.sha256
        );
        text
    }
}

/// Whether an argument of `sbatch` would hide the tasks of a plan or their output, or keep them from being continued.
fn is_reserved(argument: &str) -> bool {
    let reserved = [
        "--job-name",
        "--comment",
        "--array",
        "--output",
        "--parsable",
        "--wrap",
        "--wait",
        "--test-only",
        "--signal",
        "--requeue",
        "--no-requeue",
        "--chdir",
        "--open-mode",
    ];
    // `sbatch` accepts the beginning of a long name. The arguments are joined, so each may hold several options.
    let is_reserved = |word: &str| {
        let name = word.split('=').next().unwrap_or_default();
        (name.len() > 2 && reserved.iter().any(|long| long.starts_with(name)))
            || ["-J", "-a", "-o", "-W", "-D"].iter().any(|short| word.starts_with(short))
    };
    argument.split_whitespace().any(is_reserved)
}

/// Writes the list of commands of a plan, one for each group of runs.
///
/// # Errors
/// The file cannot be written.
pub fn write_commands(plan: &Plan, runs_per_task: usize) -> Result<()> {
    let script = word(&plan.dir.job_script());
    let command = |task| format!("bash {script} {task} {runs_per_task} --task 0\n");
    let text: String = (0..plan.len().div_ceil(runs_per_task)).map(command).collect();
    files::write_shared(&plan.dir.commands(), &text)
}

fn word(path: &Path) -> String {
    shell_word(&path.to_string_lossy())
}
