//! What makes the runs of a command: this process or a cluster.

use crate::args::{ClusterArgs, RunArgs};
use crate::exit::UsageError;
use nas_core::config::{ClusterConfig, Scheduler};

/// What makes the runs of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Executor {
    /// This process.
    Local,
    /// Tasks of a cluster. The command waits for them unless it detaches.
    Cluster {
        /// The section `[cluster]`.
        config: ClusterConfig,
        /// Whether the command ends after the submission.
        detach: bool,
    },
    /// Nothing: only the results of finished runs are collected.
    None,
}

impl Executor {
    /// The executor that options and configuration choose.
    ///
    /// # Errors
    /// An option that needs a scheduler, without one, and `--tensorboard` with one.
    pub fn choose(args: &ClusterArgs, run: &RunArgs, config: &ClusterConfig) -> Result<Self, UsageError> {
        let config = args.over(config);
        match (config.scheduler, args.first_without_effect(config.scheduler)) {
            (Scheduler::None, Some(option)) => Err(UsageError(format!(
                "--{option} has an effect with --cluster only: add --cluster slurm, or leave it out"
            ))),
            (_, Some(option)) => {
                Err(UsageError(format!("--{option} has an effect with --cluster slurm only: leave it out")))
            }
            (Scheduler::None, None) => Ok(Self::Local),
            // Two attempts of a run would write to the same event file.
            (_, None) if run.tensorboard.is_some() => {
                let remedy = "leave it out, and use `nas-train export RUN --tensorboard DIR` for finished runs";
                Err(UsageError(format!("--tensorboard has no effect with --cluster: {remedy}")))
            }
            (_, None) => Ok(Self::Cluster { config, detach: args.detach }),
        }
    }

    /// Refuses `--jobs` with a scheduler.
    ///
    /// # Errors
    /// The message names the option of Slurm for the same purpose.
    pub fn check_jobs(&self, jobs: Option<u32>) -> Result<(), UsageError> {
        let remedy = match self {
            Self::Cluster { config, .. } if config.scheduler == Scheduler::Slurm => {
                "leave it out; --max-running P limits the tasks that run at the same time"
            }
            Self::Cluster { .. } => "leave it out",
            Self::Local | Self::None => return Ok(()),
        };
        match jobs {
            Some(_) => Err(UsageError(format!("--jobs has no effect with --cluster: {remedy}"))),
            None => Ok(()),
        }
    }
}
