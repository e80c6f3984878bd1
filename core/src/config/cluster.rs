//! The section `[cluster]`: how several runs are handed to a scheduler.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the runs of a comparison, a truth table or a series of seeds are executed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scheduler {
    /// On this machine, in this process.
    #[default]
    None,
    /// As job arrays of Slurm.
    Slurm,
    /// Not executed: a job script and a list of commands for any other scheduler are written.
    Script,
}

/// `[cluster]`: the scheduler of `compare`, `truth` and `retrain --seeds`, and its jobs. No result depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterConfig {
    /// Where the runs are executed: `none` (on this machine), `slurm`, or `script` (files for any other scheduler).
    pub scheduler: Scheduler,
    /// Partition of the jobs; empty for that of the cluster's configuration.
    pub partition: String,
    /// Time limit of a task as `sbatch` takes it, for instance `2:00:00`; empty for that of the partition. A task near
    /// its limit writes a checkpoint and is queued again.
    pub time: String,
    /// Largest number of tasks that run at the same time; 0 for no limit.
    pub max_running: usize,
    /// Number of runs that a task executes one after another.
    pub runs_per_task: usize,
    /// Number of GPUs of a task.
    pub gpus: usize,
    /// Further arguments of `sbatch`.
    pub sbatch_args: Vec<String>,
    /// File with shell commands that every task executes first: modules, environment variables, or `NAS_TRAIN=...`, the
    /// command that starts the program inside a container. Empty for none.
    pub setup: String,
    /// How often a run is submitted again after the loss of its node or a failure with exit code 1.
    pub retries: usize,
    /// Time between two queries of the scheduler in seconds, 1 to 86,400.
    pub poll_seconds: u64,
    /// Whether a finished run is packed: at most four files, without checkpoints.
    pub pack: bool,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            scheduler: Scheduler::None,
            partition: String::new(),
            time: String::new(),
            max_running: 0,
            runs_per_task: 1,
            gpus: 0,
            sbatch_args: Vec::new(),
            setup: String::new(),
            retries: 2,
            poll_seconds: 30,
            pack: false,
        }
    }
}
