//! `nas-train disturbance`: a sequence of architectures.

use crate::args::DisturbanceArgs;
use crate::device::on_device;
use crate::exit::ExitStatus;
use crate::parallel::in_thread_pool;
use crate::run_kind::RunKind;
use crate::single_run::SingleRun;
use anyhow::Result;
use nas_core::registry::TrainingDevice;
use nas_core::state::State;
use nas_core::trainer::{RunError, Sequence};

/// Trains architectures one after another and prints the accuracy of each after every training.
///
/// # Errors
/// As [`run`](super::run), and a strategy that does not accept a given architecture.
pub fn disturbance(args: &DisturbanceArgs) -> Result<ExitStatus> {
    sequence(SingleRun::plan(&args.run, RunKind::Sequence(args.sequence))?, args.sequence)
}

/// Trains a planned sequence of `n` architectures, from its start or from a checkpoint.
///
/// # Errors
/// As [`disturbance`].
pub fn sequence(run: SingleRun, n: usize) -> Result<ExitStatus> {
    let device = run.device()?;
    in_thread_pool(run.threads(), || {
        on_device!(device, |make| {
            let device = make()?;
            run.execute(
                |config, data, state| new_or_restored_sequence(Sequence::new(config, data, &device, n)?, state),
                Sequence::run,
            )
        })
    })
}

/// A sequence that continues from a state, if there is one.
///
/// # Errors
/// A state that does not fit.
pub fn new_or_restored_sequence<D: TrainingDevice>(
    sequence: Sequence<D>,
    state: Option<&State>,
) -> Result<Sequence<D>, RunError> {
    match state {
        Some(state) => sequence.restore(state),
        None => Ok(sequence),
    }
}
