//! `nas-train disturbance`: a sequence of architectures.

use crate::args::DisturbanceArgs;
use crate::device::on_device;
use crate::exit::ExitStatus;
use crate::parallel::in_thread_pool;
use crate::single_run::SingleRun;
use anyhow::Result;
use nas_core::trainer::Sequence;

/// Trains architectures one after another and prints the accuracy of each after every training.
///
/// # Errors
/// As [`run`](super::run), and a strategy that does not accept a given architecture.
pub fn disturbance(args: &DisturbanceArgs) -> Result<ExitStatus> {
    let run = SingleRun::plan(&args.run)?;
    let device = run.device()?;
    in_thread_pool(run.threads(), || {
        on_device!(device, |make| {
            let device = make()?;
            run.execute(|config, data| Sequence::new(config, data, &device, args.sequence), Sequence::run)
        })
    })
}
