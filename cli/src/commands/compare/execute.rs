//! Making the missing runs and sequences.

use super::{ComparisonJob, Made, MakeDevice};
use crate::commands::disturbance::continued;
use crate::commands::run::session;
use crate::device::with_memory_advice;
use crate::exit::chained;
use crate::parallel::{ThreadsPerJob, ordered_parallel_map};
use crate::planned_run::PlannedRun;
use anyhow::{Error, Result};
use nas_core::event::Observer;
use nas_core::registry::Target;
use nas_core::state::State;
use nas_core::trainer::{RunError, Sequence, reset_peak_rss};

impl ComparisonJob<'_> {
    /// Makes the missing runs and sequences; none if the comparison was interrupted.
    pub(super) fn make<D: Target>(
        &self,
        share: ThreadsPerJob,
        runs: &[PlannedRun],
        sequences: &[PlannedRun],
        device: MakeDevice<'_, D>,
    ) -> Result<Option<Made>> {
        let (missing, missing_sequences) = (self.missing(runs)?, self.missing(sequences)?);
        if self.interrupted() {
            return Ok(None);
        }
        let (count, done) = (runs.len(), runs.len() - missing.len());
        let count = if count == 1 { "1 run".into() } else { format!("{count} runs") };
        self.bars.print_progress(&format!("{count}, {done} of them done; {}", self.out.display()));
        let Some(mut failed) = self.make_runs(share, &missing, device)? else { return Ok(None) };
        let Some(sequences) = self.make_sequences(share, &missing_sequences, device)? else { return Ok(None) };
        failed.extend(sequences.failed);
        Ok(Some(Made { failed, notes: sequences.notes }))
    }

    /// Makes the missing runs. A failed run is reported; the remaining runs continue. Returns the errors of the failed
    /// runs; none if the comparison was interrupted.
    fn make_runs<D: Target>(
        &self,
        share: ThreadsPerJob,
        missing: &[PlannedRun],
        device: MakeDevice<'_, D>,
    ) -> Result<Option<Vec<Error>>> {
        let work = |planned: &PlannedRun| {
            if self.interrupted() {
                return Ok(false);
            }
            let measures_memory = share.jobs == 1 && reset_peak_rss();
            let (config, device) = (&planned.settings.config, device()?);
            let prepare = |state: Option<&State>| session(config, self.data.dataset.clone(), &device, state);
            planned.make(&self.bars, self.args.run.progress, prepare, |mut session, observer| {
                let mut result = session.run(observer, self.cancel)?;
                // The peak memory is that of the process, so it is a run's own only if no other run was in progress.
                result.peak_rss_mb = result.peak_rss_mb.filter(|_| measures_memory);
                Ok(result)
            })
        };
        let (mut complete, mut failed) = (true, Vec::new());
        ordered_parallel_map(share, missing, work, |planned, made| {
            let name = format!("{} seed {}", planned.label, planned.seed);
            match made {
                Ok(true) => self.bars.print_progress(&format!("{name} is done")),
                Ok(false) => complete = false,
                Err(error) => {
                    self.bars.print_line(&format!("{name} failed: {}", chained(&error)));
                    failed.push(error);
                }
            }
            Ok(())
        })?;
        Ok(complete.then_some(failed))
    }

    /// Makes the missing sequences; none if the comparison was interrupted.
    fn make_sequences<D: Target>(
        &self,
        share: ThreadsPerJob,
        missing: &[PlannedRun],
        device: MakeDevice<'_, D>,
    ) -> Result<Option<Made>> {
        let work = |planned: &PlannedRun| {
            if self.interrupted() {
                return Ok((false, None));
            }
            let config = &planned.settings.config;
            let device = device()?;
            let new = || Sequence::new(config, self.data.dataset.clone(), &device, self.args.sequence);
            let first = with_memory_advice(config, || match new() {
                Err(RunError::OwnPlans { .. }) => Ok(None),
                sequence => sequence.map(Some),
            })?;
            let Some(first) = first else {
                return Ok((true, Some(no_matrix(&planned.label))));
            };
            let mut first = Some(first);
            let prepare = |state: Option<&State>| continued(first.take().map_or_else(new, Ok)?, state);
            let run = |sequence: Sequence<D>, observer: &mut dyn Observer| sequence.run(observer, self.cancel);
            let made = planned.make(&self.bars, self.args.run.progress, prepare, run);
            made.map(|complete| (complete, None))
        };
        let (mut complete, mut notes, mut failed) = (true, Vec::new(), Vec::new());
        ordered_parallel_map(share, missing, work, |planned, made| {
            match made {
                Ok((done, note)) => {
                    complete &= done;
                    notes.extend(note);
                }
                Err(error) => {
                    notes.push(format!("{}: no disturbance matrix: {}", planned.label, chained(&error)));
                    failed.push(error);
                }
            }
            Ok(())
        })?;
        Ok(complete.then_some(Made { notes, failed }))
    }
}

/// The remark for a variant whose strategy makes plans of its own.
pub fn no_matrix(label: &str) -> String {
    format!("{label}: no disturbance matrix, because the strategy chooses the architectures of each step itself.")
}
