//! `nas-train export`: the metrics of a run as TensorBoard event files.

use crate::archive::Archived;
use crate::args::ExportArgs;
use crate::exit::{ExitStatus, UsageError, chained};
use crate::tensorboard::EventFile;
use crate::text::eprint_line;
use anyhow::{Error, Result};

/// Writes the metrics of a finished run as TensorBoard event files.
///
/// # Errors
/// The directory contains no finished run, or a file cannot be written.
pub fn export(args: &ExportArgs) -> Result<ExitStatus> {
    let metrics = match Archived::read(&args.run) {
        Ok(Archived::Run(run)) => run.metrics,
        Ok(Archived::Retrain(run)) => run.metrics,
        Ok(Archived::Sequence(_)) => {
            let problem = "contains the result of `nas-train disturbance`, which has no metrics over steps; its matrix is in matrix.csv";
            return Err(UsageError(format!("{} {problem}", args.run.display())).into());
        }
        Err(error) => return Err(UsageError(format!("{}: {}", args.run.display(), chained(&error))).into()),
    };
    let name = EventFile::new_name();
    let mut events = EventFile::create(&args.tensorboard, &name)?;
    let mut rows = metrics.iter();
    let written = rows.try_for_each(|row| events.scalar(&format!("{}/{}", row.split, row.metric), row.step, row.value));
    if let Err(error) = written {
        // An incomplete file would keep the same command from a second try.
        EventFile::remove(&args.tensorboard, &name)?;
        return Err(Error::new(error).context("cannot export"));
    }
    eprint_line(&format!(
        "{} scalars written; view them with `tensorboard --logdir {}`",
        metrics.len(),
        args.tensorboard.display()
    ));
    Ok(ExitStatus::Success)
}
