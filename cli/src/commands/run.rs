//! `nas-train` without a subcommand: one run.

use crate::args::RunArgs;
use crate::device::on_device;
use crate::exit::ExitStatus;
use crate::parallel::in_thread_pool;
use crate::single_run::SingleRun;
use anyhow::Result;
use nas_core::trainer::Session;

/// Trains a supernet, searches an architecture and prints the result.
///
/// # Errors
/// Invalid options, unreadable data, failed training, or files that cannot be written; see [`ExitStatus`].
pub fn run(args: &RunArgs) -> Result<ExitStatus> {
    let run = SingleRun::plan(args)?;
    let device = run.device()?;
    in_thread_pool(run.threads(), || {
        on_device!(device, |make| {
            let device = make()?;
            run.execute(
                |config, data| Session::new(config, data, &device),
                |mut session, observer, cancel| session.run(observer, cancel),
            )
        })
    })
}
