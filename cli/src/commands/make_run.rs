//! Making a planned run of any kind on a device.

use super::disturbance::new_or_restored_sequence;
use super::retrain::new_or_restored_training;
use super::run::new_or_restored_session;
use crate::args::ProgressMode;
use crate::planned_run::PlannedRun;
use crate::progress::ProgressBars;
use crate::run_kind::RunKind;
use anyhow::Result;
use nas_core::data::Dataset;
use nas_core::event::Observer;
use nas_core::registry::TrainingDevice;
use nas_core::state::State;
use nas_core::trainer::{Sequence, StandAloneRun, StandAloneTrainer, reset_peak_rss};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What several planned runs have in common.
pub struct RunMaker<'a> {
    /// The data set.
    pub dataset: &'a Arc<Dataset>,
    /// The progress bars.
    pub bars: &'a ProgressBars,
    /// The kind of progress display.
    pub mode: ProgressMode,
    /// Whether no other run is in progress in this process: the peak memory is that of the process.
    pub is_alone: bool,
    /// Set by an interrupt signal.
    pub cancel: &'a AtomicBool,
}

impl RunMaker<'_> {
    /// Makes a run, or continues it from its latest checkpoint. Returns whether it finished, false after an interrupt
    /// signal.
    ///
    /// # Errors
    /// See [`PlannedRun::make`].
    pub fn make<D: TrainingDevice>(&self, planned: &PlannedRun, device: &D) -> Result<bool> {
        let (config, dataset, cancel) = (&planned.settings.config, self.dataset, self.cancel);
        match &planned.kind {
            RunKind::Supernet => {
                let measures_memory = self.is_alone && reset_peak_rss();
                let prepare = |state: Option<&State>| new_or_restored_session(config, dataset.clone(), device, state);
                planned.make(self.bars, self.mode, prepare, |mut session, observer| {
                    let mut result = session.run(observer, cancel)?;
                    result.peak_rss_mb = result.peak_rss_mb.filter(|_| measures_memory);
                    Ok(result)
                })
            }
            RunKind::Sequence(n) => {
                let prepare = |state: Option<&State>| {
                    new_or_restored_sequence(Sequence::new(config, dataset.clone(), device, *n)?, state)
                };
                let work = |sequence: Sequence<D>, observer: &mut dyn Observer| sequence.run(observer, cancel);
                planned.make(self.bars, self.mode, prepare, work)
            }
            RunKind::Retrain(arch) => {
                let trainer = StandAloneTrainer::new(config, dataset.clone(), device)?;
                let prepare = |state: Option<&State>| new_or_restored_training(&trainer, arch, config.seed, state);
                let work = |run: StandAloneRun<D>, observer: &mut dyn Observer| run.run(observer, cancel);
                planned.make(self.bars, self.mode, prepare, work)
            }
        }
    }
}
