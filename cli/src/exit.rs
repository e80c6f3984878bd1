//! Exit codes of the program, and the exit code of each error.

use crate::archive::Incomplete;
use anyhow::Error;
use nas_core::checkpoint::CheckpointError;
use nas_core::config::ConfigError;
use nas_core::controller::ControllerError;
use nas_core::data::DataError;
use nas_core::network::NetworkError;
use nas_core::options::OptionsError;
use nas_core::registry::BuildError;
use nas_core::space::ArchError;
use nas_core::strategy::StrategyError;
use nas_core::trainer::RunError;
use nas_core::truth::TruthError;
use nas_plugin_host::PluginError;
use std::process::ExitCode;

/// The outcome of the program. The value of each variant is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// The command succeeded.
    Success = 0,
    /// A file could not be read or written, a device failed, or an internal error occurred.
    Failure = 1,
    /// The arguments or the configuration are invalid.
    Usage = 2,
    /// A plugin cannot be loaded or violated the plugin interface.
    Plugin = 3,
    /// Data, a truth table or a file of a run is missing or damaged.
    Data = 4,
    /// Training diverged: the loss or a gradient is not finite.
    Diverged = 5,
    /// Ctrl-C or a termination signal stopped the program.
    Interrupted = 130,
}

/// The list of exit codes at the end of `--help`.
pub const HELP: &str = "\
Exit codes:
    0  success
    1  a file cannot be read or written, a device failed, or an internal error
    2  invalid arguments or configuration
    3  a plugin cannot be loaded or violated the plugin interface
    4  data, a truth table or a file of a run is missing or damaged
    5  training diverged: the loss or a gradient is not finite
  130  interrupted (Ctrl-C or a termination signal)
  134  a GPU failed while it ran (abort)";

/// Invalid arguments or configuration. The message states the problem and the remedy; the exit code is 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// A failed `plugins check`; the exit code is 3.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CheckFailed(pub String);

/// A process that this program started has failed; the exit code is that of the process.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ChildFailed {
    /// How the process ended.
    pub status: ExitStatus,
    /// The error message of the process.
    pub message: String,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}

impl ExitStatus {
    /// All outcomes.
    const ALL: [Self; 7] =
        [Self::Success, Self::Failure, Self::Usage, Self::Plugin, Self::Data, Self::Diverged, Self::Interrupted];

    /// The outcome of a process of this program with this exit code.
    pub fn from_code(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|status| i32::from(*status as u8) == code)
    }

    /// The exit status for an error: that of the first error in its chain of causes which has one.
    pub fn of(error: &Error) -> Self {
        error.chain().find_map(Self::of_cause).unwrap_or(Self::Failure)
    }

    fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Self> {
        if let Some(error) = cause.downcast_ref::<RunError>() {
            return Some(Self::of_run(error));
        }
        if let Some(error) = cause.downcast_ref::<DataError>() {
            return Some(Self::of_data(error));
        }
        if let Some(error) = cause.downcast_ref::<CheckpointError>() {
            return Some(Self::of_checkpoint(error));
        }
        if let Some(error) = cause.downcast_ref::<Incomplete>() {
            return Some(if error.is_damage() { Self::Data } else { Self::Usage });
        }
        if let Some(error) = cause.downcast_ref::<TruthError>() {
            return Some(Self::of_truth(error));
        }
        if let Some(error) = cause.downcast_ref::<ChildFailed>() {
            return Some(error.status);
        }
        if cause.is::<PluginError>() || cause.is::<CheckFailed>() {
            return Some(Self::Plugin);
        }
        if let Some(BuildError::Strategy(StrategyError::Plugin(_))) = cause.downcast_ref() {
            return Some(Self::Plugin);
        }
        let usage = cause.is::<UsageError>()
            || cause.is::<ConfigError>()
            || cause.is::<OptionsError>()
            || cause.is::<BuildError>()
            || cause.is::<NetworkError>()
            || cause.is::<ArchError>()
            || cause.is::<toml::de::Error>();
        usage.then_some(Self::Usage)
    }

    fn of_run(error: &RunError) -> Self {
        match error {
            RunError::Build(BuildError::Strategy(StrategyError::Plugin(_)))
            | RunError::Strategy { source: StrategyError::Plugin(_), .. } => Self::Plugin,
            RunError::Strategy { source: StrategyError::Option { .. }, .. }
            | RunError::InitialWeights { source: CheckpointError::OtherNetwork { .. } }
            | RunError::Config(_)
            | RunError::Build(_)
            | RunError::Network { .. }
            | RunError::Arch(_)
            | RunError::Disconnected { .. }
            | RunError::State(_)
            | RunError::OwnPlans { .. } => Self::Usage,
            RunError::Data(error) => Self::of_data(error),
            RunError::Truth(error) => Self::of_truth(error),
            RunError::Checkpoint(error) | RunError::InitialWeights { source: error } => Self::of_checkpoint(error),
            RunError::Diverged { .. } => Self::Diverged,
            RunError::Controller { source, .. } if matches!(**source, ControllerError::Diverged(_)) => Self::Diverged,
            RunError::Plan { .. }
            | RunError::Strategy { .. }
            | RunError::Controller { .. }
            | RunError::Op(_)
            | RunError::Metric(_)
            | RunError::Record(_) => Self::Failure,
        }
    }

    fn of_data(error: &DataError) -> Self {
        match error {
            DataError::Unknown { .. }
            | DataError::NoFolder { .. }
            | DataError::NoTest { .. }
            | DataError::Option { .. } => Self::Usage,
            DataError::Cancelled => Self::Interrupted,
            DataError::Thread { .. } | DataError::Stopped { .. } => Self::Failure,
            _ => Self::Data,
        }
    }

    fn of_checkpoint(error: &CheckpointError) -> Self {
        match error {
            CheckpointError::Write { .. } => Self::Failure,
            CheckpointError::Format { .. } => Self::Usage,
            CheckpointError::Read { .. } | CheckpointError::Content { .. } | CheckpointError::OtherNetwork { .. } => {
                Self::Data
            }
        }
    }

    fn of_truth(error: &TruthError) -> Self {
        match error {
            TruthError::UnknownColumn { .. } | TruthError::NotAccuracy { .. } => Self::Usage,
            _ => Self::Data,
        }
    }
}

/// The error and its causes, separated by colons. A cause that the text already contains is left out.
pub fn chained(error: &Error) -> String {
    error.chain().map(|cause| cause.to_string()).fold(String::new(), |text, cause| match text.as_str() {
        "" => cause,
        known if known.contains(cause.trim()) => text,
        _ => format!("{text}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn the_help_lists_every_exit_code() {
        for status in ExitStatus::ALL {
            assert_eq!(ExitStatus::from_code((status as u8).into()), Some(status));
            let code = (status as u8).to_string();
            assert!(HELP.lines().any(|line| line.split_whitespace().next() == Some(&code)), "{status:?}");
        }
    }

    #[test]
    fn the_status_of_a_cause_is_found_under_context() {
        let error = || Err::<(), _>(UsageError("no".into()));
        assert_eq!(ExitStatus::of(&error().context("in a file").unwrap_err()), ExitStatus::Usage);
        assert_eq!(ExitStatus::of(&anyhow!("anything")), ExitStatus::Failure);
        let config = ConfigError::Range { key: "train.lr", expected: "more".into(), found: "0".into() };
        let run: Result<(), RunError> = Err(config.into());
        assert_eq!(ExitStatus::of(&run.context("--lr").unwrap_err()), ExitStatus::Usage);
    }

    #[test]
    fn a_repeated_cause_is_left_out() {
        let error = anyhow!("inner").context("outer: inner").context("top");
        assert_eq!(chained(&error), "top: outer: inner");
    }
}
