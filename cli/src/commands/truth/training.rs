//! One stand-alone training of a truth table.

use super::file::TruthRow;
use super::saved::TrainingCheckpoints;
use crate::device::with_memory_advice;
use anyhow::Result;
use nas_core::config::RunConfig;
use nas_core::data::Dataset;
use nas_core::registry::TrainingDevice;
use nas_core::trainer::StandAloneTrainer;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Trains an architecture from its start, or from the latest checkpoint; none if the training was interrupted.
///
/// # Errors
/// Diverged training, exhausted memory, or a configuration that does not fit.
pub fn train<D: TrainingDevice>(
    config: &RunConfig,
    dataset: &Arc<Dataset>,
    device: &D,
    (arch, seed): &(String, u64),
    saved: &mut TrainingCheckpoints,
    cancel: &AtomicBool,
) -> Result<Option<TruthRow>> {
    let result = with_memory_advice(config, || {
        let trainer = StandAloneTrainer::new(config, dataset.clone(), device)?;
        let start = || trainer.start(arch, *seed);
        let continued = saved.state().and_then(|state| start().and_then(|run| run.restore(&state)).ok());
        continued.map_or_else(start, Ok)?.run(saved, cancel)
    });
    Ok(TruthRow::of(&result?))
}
