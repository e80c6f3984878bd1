//! Exit codes, in this one place, and how errors are told.

use crate::text::say;
use anyhow::Error;
use nas_core::config::ConfigError;
use nas_core::controller::ControllerError;
use nas_core::data::DataError;
use nas_core::network::WireError;
use nas_core::options::OptionsError;
use nas_core::registry::BuildError;
use nas_core::strategy::StrategyError;
use nas_core::trainer::RunError;
use nas_core::truth::TruthError;
use nas_plugin_host::PluginError;
use std::process::ExitCode;

/// How the program ends; the number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// All went well.
    Success = 0,
    /// A file could not be read or written, a device failed, or the program itself is wrong.
    Failure = 1,
    /// Arguments or configuration that cannot be run.
    Usage = 2,
    /// A plugin that cannot be loaded or broke its contract.
    Plugin = 3,
    /// Data that is missing or damaged.
    Data = 4,
    /// The loss or the gradients are no longer numbers.
    Diverged = 5,
    /// Stopped by Ctrl-C or a termination signal.
    Interrupted = 130,
}

/// The exit codes, for `--help`.
pub const HELP: &str = "\
Exit codes:
    0  success
    1  a file cannot be read or written, or an internal failure
    2  arguments or configuration that cannot be run
    3  a plugin that cannot be loaded or broke its contract
    4  data that is missing or damaged
    5  training diverged: the loss or the gradients are no longer numbers
  130  interrupted (Ctrl-C)";

/// Arguments that are well-formed but cannot be obeyed, in words that say what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// A plugin that `plugins check` has found wanting.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CheckFailed(pub String);

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}

impl ExitStatus {
    /// The status that an error ends the program with.
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
        if let Some(error) = cause.downcast_ref::<TruthError>() {
            return Some(Self::of_truth(error));
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
            || cause.is::<WireError>()
            || cause.is::<toml::de::Error>();
        usage.then_some(Self::Usage)
    }

    fn of_run(error: &RunError) -> Self {
        match error {
            RunError::Build(BuildError::Strategy(StrategyError::Plugin(_)))
            | RunError::Strategy { source: StrategyError::Plugin(_), .. } => Self::Plugin,
            RunError::Config(_)
            | RunError::Build(_)
            | RunError::Wire { .. }
            | RunError::Arch(_)
            | RunError::OwnPlans { .. } => Self::Usage,
            RunError::Data(error) => Self::of_data(error),
            RunError::Truth(error) => Self::of_truth(error),
            RunError::Diverged { .. } | RunError::Controller(ControllerError::Diverged(_)) => Self::Diverged,
            RunError::Plan { .. }
            | RunError::Strategy { .. }
            | RunError::Controller(_)
            | RunError::Op(_)
            | RunError::Metric(_)
            | RunError::Record(_) => Self::Failure,
        }
    }

    fn of_data(error: &DataError) -> Self {
        match error {
            DataError::Unknown { .. } | DataError::NoFolder { .. } | DataError::Option { .. } => Self::Usage,
            DataError::Thread { .. } | DataError::Stopped { .. } => Self::Failure,
            _ => Self::Data,
        }
    }

    fn of_truth(error: &TruthError) -> Self {
        match error {
            TruthError::UnknownColumn { .. } | TruthError::NotAccuracy { .. } => Self::Usage,
            _ => Self::Data,
        }
    }
}

/// Tells an error and its causes on stderr.
pub fn report(error: &Error) -> ExitStatus {
    say(&format!("error: {}", chained(error)));
    ExitStatus::of(error)
}

/// The error and its causes in one text. A cause whose words are in the text already adds nothing.
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
    fn help_lists_every_code() {
        use ExitStatus::*;
        for status in [Success, Failure, Usage, Plugin, Data, Diverged, Interrupted] {
            let code = (status as u8).to_string();
            assert!(HELP.lines().any(|line| line.split_whitespace().next() == Some(&code)), "{status:?}");
        }
    }

    #[test]
    fn status_is_found_behind_context() {
        let error = || Err::<(), _>(UsageError("no".into()));
        assert_eq!(ExitStatus::of(&error().context("in a file").unwrap_err()), ExitStatus::Usage);
        assert_eq!(ExitStatus::of(&anyhow!("anything")), ExitStatus::Failure);
        let config = ConfigError::Range { key: "train.lr", expected: "more".into(), found: "0".into() };
        let run: Result<(), RunError> = Err(config.into());
        assert_eq!(ExitStatus::of(&run.context("--lr").unwrap_err()), ExitStatus::Usage);
    }

    #[test]
    fn causes_are_chained_once() {
        let error = anyhow!("inner").context("outer: inner").context("top");
        assert_eq!(chained(&error), "top: outer: inner");
    }
}
