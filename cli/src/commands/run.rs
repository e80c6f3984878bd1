//! `nas-train` without a subcommand: one run.

use crate::args::RunArgs;
use crate::device::on_device;
use crate::exit::ExitStatus;
use crate::parallel::in_thread_pool;
use crate::run_kind::RunKind;
use crate::single_run::SingleRun;
use anyhow::Result;
use nas_core::config::RunConfig;
use nas_core::data::Dataset;
use nas_core::registry::TrainingDevice;
use nas_core::state::State;
use nas_core::trainer::{RunError, Session};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Trains a supernet, searches an architecture and prints the result.
///
/// # Errors
/// Invalid options, unreadable data, failed training, or files that cannot be written; see [`ExitStatus`].
pub fn run(args: &RunArgs) -> Result<ExitStatus> {
    let run = SingleRun::plan(args, RunKind::Supernet)?;
    train(run)
}

/// Trains a planned run, from its start or from a checkpoint.
///
/// # Errors
/// As [`run`].
pub fn train(run: SingleRun) -> Result<ExitStatus> {
    let device = run.device()?;
    in_thread_pool(run.threads(), || {
        on_device!(device, |make| {
            let device = make()?;
            run.execute(
                |config, data, state| new_or_restored_session(config, data, &device, state),
                |mut session, observer, cancel| session.run(observer, cancel),
            )
        })
    })
}

/// A new session, or one that continues from a state. The state may be that of a run with fewer epochs.
///
/// # Errors
/// As [`Session::new`]; a state that does not fit.
pub fn new_or_restored_session<D: TrainingDevice>(
    config: &RunConfig,
    data: Arc<Dataset>,
    device: &D,
    state: Option<&State>,
) -> Result<Session<D>, RunError> {
    let Some(state) = state else { return Session::new(config, data, device) };
    let session = Session::for_restore(config, data, device)?;
    let saved: Map<String, Value> = state.get("config")?;
    let is_longer = saved.get("train.epochs").and_then(Value::as_u64) < Some(config.train.epochs as u64);
    if is_longer { session.extend(state) } else { session.restore(state) }
}
