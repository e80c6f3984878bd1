//! The options of a scheduler, and of `cluster` and `cluster-task`.

use super::parse::{count, positive};
use super::{DataDirArg, ProgressMode};
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use nas_core::config::{ClusterConfig, Scheduler};
use std::path::PathBuf;

/// The schedulers of `--cluster`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClusterKind {
    /// Execute the runs on this machine
    None,
    /// Submit the runs as job arrays of Slurm
    Slurm,
    /// Write a job script and a list of commands for any other scheduler
    Script,
}

/// The options of a scheduler in `compare`, `truth` and `retrain`. Each replaces a key of the section `[cluster]`.
#[derive(Debug, Clone, Default, Args)]
pub struct ClusterArgs {
    /// Execute the runs on a cluster; docs/cluster.md has a walkthrough. The section [cluster] of the configuration has
    /// keys for these options [default: none]
    #[arg(long, value_enum, value_name = "SCHEDULER", help_heading = "Cluster")]
    pub cluster: Option<ClusterKind>,
    /// Partition of the jobs [default: that of the cluster]
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    pub partition: Option<String>,
    /// Time limit of a task, as `sbatch` takes it. A task near its limit writes a checkpoint and is queued again
    /// [default: that of the partition]
    #[arg(long, value_name = "TIME", help_heading = "Cluster")]
    pub time: Option<String>,
    /// Largest number of tasks that run at the same time [default: no limit]
    #[arg(long, value_name = "P", value_parser = positive, help_heading = "Cluster")]
    pub max_running: Option<i64>,
    /// Number of runs that a task executes one after another [default: 1]
    #[arg(long, value_name = "K", value_parser = positive, help_heading = "Cluster")]
    pub runs_per_task: Option<i64>,
    /// Number of GPUs of a task [default: 0]
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Cluster")]
    pub gpus: Option<i64>,
    /// Further argument of `sbatch`, for instance --sbatch-arg=--account=nas; repeat the option for several
    #[arg(long, value_name = "ARG", allow_hyphen_values = true, help_heading = "Cluster")]
    pub sbatch_arg: Vec<String>,
    /// File with shell commands that every task executes first: modules, environment variables, containers
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Cluster")]
    pub setup: Option<PathBuf>,
    /// How often a run is submitted again after a lost node or an exit code of 1 [default: 2]
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Cluster")]
    pub retries: Option<i64>,
    /// Keep at most four files of a finished run, and no checkpoints
    #[arg(long, help_heading = "Cluster")]
    pub pack: bool,
    /// End after the submission; `nas-train cluster status` and `merge` show and collect the runs
    #[arg(long, help_heading = "Cluster")]
    pub detach: bool,
}

impl ClusterArgs {
    /// The section `[cluster]` with the options of the command line.
    pub fn over(&self, config: &ClusterConfig) -> ClusterConfig {
        let number = |option: Option<i64>, key| option.and_then(|n| usize::try_from(n).ok()).unwrap_or(key);
        let text = |option: &Option<String>, key: &String| option.as_ref().unwrap_or(key).clone();
        let scheduler = self.cluster.map_or(config.scheduler, |kind| match kind {
            ClusterKind::None => Scheduler::None,
            ClusterKind::Slurm => Scheduler::Slurm,
            ClusterKind::Script => Scheduler::Script,
        });
        ClusterConfig {
            scheduler,
            partition: text(&self.partition, &config.partition),
            time: text(&self.time, &config.time),
            max_running: number(self.max_running, config.max_running),
            runs_per_task: number(self.runs_per_task, config.runs_per_task),
            gpus: number(self.gpus, config.gpus),
            sbatch_args: config.sbatch_args.iter().chain(&self.sbatch_arg).cloned().collect(),
            setup: self.setup.as_ref().map_or_else(|| config.setup.clone(), |path| path.to_string_lossy().into_owned()),
            retries: number(self.retries, config.retries),
            poll_seconds: config.poll_seconds,
            pack: self.pack || config.pack,
        }
    }

    /// The first option that has no effect with this scheduler.
    pub fn first_without_effect(&self, scheduler: Scheduler) -> Option<&'static str> {
        // A job script and a list of commands are not submitted here.
        let of_slurm = ["max-running", "retries", "detach"];
        let given = [
            ("partition", self.partition.is_some()),
            ("time", self.time.is_some()),
            ("max-running", self.max_running.is_some()),
            ("runs-per-task", self.runs_per_task.is_some()),
            ("gpus", self.gpus.is_some()),
            ("sbatch-arg", !self.sbatch_arg.is_empty()),
            ("setup", self.setup.is_some()),
            ("retries", self.retries.is_some()),
            ("pack", self.pack),
            ("detach", self.detach),
        ];
        let has_effect = |name: &str| match scheduler {
            Scheduler::None => false,
            Scheduler::Slurm => true,
            Scheduler::Script => !of_slurm.contains(&name),
        };
        given.into_iter().find(|(name, is_given)| *is_given && !has_effect(name)).map(|(name, _)| name)
    }
}

/// Options of `cluster`.
#[derive(Debug, Args)]
pub struct ClusterCommandArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub command: ClusterCommand,
}

/// The subcommands of `cluster`.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Print how many runs are done, running, pending, failed (ended with an error), stopped (interrupted or cancelled) and
    /// lost (ended without a result), and the messages of failed ones
    Status {
        /// Output directory of a command with --cluster
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        /// Print one JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// Submit the failed, stopped and lost runs again
    Retry {
        /// Output directory of a command with --cluster
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
    /// End the tasks that are pending or running. Their checkpoints stay, so that `retry` continues the runs
    Cancel {
        /// Output directory of a command with --cluster
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
    /// Collect the finished runs: write the comparison, the truth table or the summary of the original command
    Merge {
        /// Output directory of a command with --cluster
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        /// The folder of the data set.
        #[command(flatten)]
        data: DataDirArg,
    },
}

/// Options of `cluster-task`, which job scripts execute.
#[derive(Debug, Args)]
pub struct ClusterTaskArgs {
    /// plan.jsonl of an output directory
    #[arg(value_name = "PLAN", value_hint = ValueHint::FilePath)]
    pub plan: PathBuf,
    /// SHA-256 that the plan must have
    #[arg(long, value_name = "HASH")]
    pub plan_sha256: Option<String>,
    /// Added to the index of the task in its array
    #[arg(long, value_name = "O", default_value_t = 0)]
    pub offset: usize,
    /// Number of runs that the task makes one after another
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 1)]
    pub runs: u32,
    /// Index of the task in its array [default: from the variables of Slurm, Kubernetes, PBS or Grid Engine; otherwise
    /// 0]
    #[arg(long, value_name = "I")]
    pub task: Option<usize>,
    /// Keep at most four files of a finished run, and no checkpoints
    #[arg(long)]
    pub pack: bool,
    /// Progress display on standard error
    #[arg(long, value_enum, value_name = "KIND", default_value = "none")]
    pub progress: ProgressMode,
}
