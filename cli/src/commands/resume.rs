//! `nas-train resume`: the rest of an unfinished run.

use super::disturbance::sequence;
use super::retrain::stand_alone;
use super::run::train;
use crate::args::ResumeArgs;
use crate::exit::ExitStatus;
use crate::run_kind::RunKind;
use crate::single_run::SingleRun;
use anyhow::Result;

/// Continues an unfinished run or sequence from its latest checkpoint, or makes a finished run longer.
///
/// # Errors
/// A directory without such a run, another version, data set or plugin, and the errors of [`run`](super::run()).
pub fn resume(args: &ResumeArgs) -> Result<ExitStatus> {
    let run = SingleRun::resume(args)?;
    match run.kind().clone() {
        RunKind::Supernet => train(run),
        RunKind::Sequence(n) => sequence(run, n),
        RunKind::Retrain(arch) => stand_alone(run, &arch),
    }
}
