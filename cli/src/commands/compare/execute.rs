//! Making the missing runs and sequences.

use super::preflight::Preflight;
use super::variant::Variant;
use super::{ComparisonJob, ExecutionOutcome, MakeDevice};
use crate::commands::make_run::RunMaker;
use crate::exit::chained;
use crate::parallel::{ThreadsPerJob, ordered_parallel_map};
use crate::planned_run::PlannedRun;
use crate::text::counted;
use anyhow::{Error, Result};
use nas_core::registry::TrainingDevice;
use std::collections::BTreeMap;

impl ComparisonJob<'_> {
    /// Makes the missing runs and sequences; none if the comparison was interrupted.
    pub(super) fn make<D: TrainingDevice>(
        &self,
        threads_per_job: ThreadsPerJob,
        runs: &[PlannedRun],
        sequences: &[PlannedRun],
        device: MakeDevice<'_, D>,
    ) -> Result<Option<ExecutionOutcome>> {
        let (missing, missing_sequences) = (self.missing(runs)?, self.missing(sequences)?);
        if self.interrupted() {
            return Ok(None);
        }
        let (count, done) = (counted(runs.len(), "run"), runs.len() - missing.len());
        self.bars.print_progress(&format!("{count}, {done} of them done; {}", self.out.display()));
        let Some(failed) = self.make_runs(threads_per_job, &missing, device)? else { return Ok(None) };
        let Some(mut made) = self.make_sequences(threads_per_job, &missing_sequences, device)? else { return Ok(None) };
        made.failed.splice(..0, failed);
        Ok(Some(made))
    }

    /// Makes the missing runs. A failed run is reported; the remaining runs continue. Returns the errors of the failed
    /// runs; none if the comparison was interrupted.
    fn make_runs<D: TrainingDevice>(
        &self,
        threads_per_job: ThreadsPerJob,
        missing: &[PlannedRun],
        device: MakeDevice<'_, D>,
    ) -> Result<Option<Vec<Error>>> {
        let work = |planned: &PlannedRun| self.make_one(threads_per_job, planned, device);
        let (mut complete, mut failed) = (true, Vec::new());
        ordered_parallel_map(threads_per_job, missing, work, |planned, made| {
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
    fn make_sequences<D: TrainingDevice>(
        &self,
        threads_per_job: ThreadsPerJob,
        missing: &[PlannedRun],
        device: MakeDevice<'_, D>,
    ) -> Result<Option<ExecutionOutcome>> {
        let work = |planned: &PlannedRun| self.make_one(threads_per_job, planned, device);
        let (mut complete, mut made_all) = (true, ExecutionOutcome::default());
        ordered_parallel_map(threads_per_job, missing, work, |planned, made| {
            match made {
                Ok(done) => complete &= done,
                Err(error) => {
                    made_all.no_matrix.insert(planned.label.clone(), chained(&error));
                    made_all.failed.push(error);
                }
            }
            Ok(())
        })?;
        Ok(complete.then_some(made_all))
    }

    /// Makes a run or a sequence, unless the comparison was interrupted.
    fn make_one<D: TrainingDevice>(
        &self,
        threads_per_job: ThreadsPerJob,
        planned: &PlannedRun,
        device: MakeDevice<'_, D>,
    ) -> Result<bool> {
        if self.interrupted() {
            return Ok(false);
        }
        let (dataset, bars, cancel) = (&self.data.dataset, &self.bars, self.cancel);
        let maker =
            RunMaker { dataset, bars, mode: self.args.run.progress, is_alone: threads_per_job.jobs == 1, cancel };
        maker.make(planned, &device()?)
    }

    /// The remarks for the variants without a disturbance matrix. `failed` has the errors of sequences by label.
    pub(super) fn matrix_notes(&self, preflights: &[Preflight], failed: &BTreeMap<String, String>) -> Vec<String> {
        let note = |(Variant { label, .. }, preflight): (&Variant, &Preflight)| {
            if preflight.accepts_sequence {
                return failed.get(label).map(|error| format!("{label}: no disturbance matrix: {error}"));
            }
            let reason = "the strategy chooses the architectures of each step itself";
            Some(format!("{label}: no disturbance matrix, because {reason}."))
        };
        let all = self.variants.iter().zip(preflights).filter(|_| self.args.sequence > 0);
        all.filter_map(note).collect()
    }
}
