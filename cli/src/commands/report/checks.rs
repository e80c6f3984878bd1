//! Checks that collected runs can be compared: equal data, and equal settings of the measurement.

use super::collect::CollectedRuns;
use super::resolved::resolved;
use crate::archive::{ArchivedRun, ArchivedSequence};
use crate::data::DataIdentity;
use crate::exit::UsageError;
use crate::settings::other_measurement;
use anyhow::Result;
use nas_core::config::RunConfig;
use nas_core::result::Truth;
use std::path::Path;

impl CollectedRuns {
    /// Refuses runs on different data, and supernets with different measurements, because their figures cannot be
    /// compared.
    ///
    /// # Errors
    /// The message names two directories and the difference.
    pub fn check_comparable(&self) -> Result<()> {
        self.check_data()?;
        let of_run = |run: &ArchivedRun| measurement(&run.config, run.result.truth.as_ref());
        check_measurements(self.runs().map(|run| (&*run.path, of_run(run))))?;
        let of_sequence = |sequence: &ArchivedSequence| measurement(&sequence.config, None);
        check_measurements(self.sequences.iter().map(|(_, sequence)| (&*sequence.path, of_sequence(sequence))))
    }

    fn check_data(&self) -> Result<()> {
        let runs = self.runs().map(|run| (&run.path, DataIdentity::of(&run.manifest)));
        let sequences =
            self.sequences.iter().map(|(_, sequence)| (&sequence.path, DataIdentity::of(&sequence.manifest)));
        let trainings = self.trainings.iter().flat_map(|group| &group.runs);
        let trainings = trainings.map(|run| (&run.path, DataIdentity::of(&run.manifest)));
        let mut all = runs.chain(sequences).chain(trainings);
        let Some((first_path, first)) = all.next() else { return Ok(()) };
        let Some((path, other)) = all.find(|(_, data)| *data != first) else { return Ok(()) };
        let text =
            |data: Option<DataIdentity>| data.map_or("data without a fingerprint".into(), |data| data.to_string());
        Err(UsageError(format!(
            "these runs have different data: {} has {}, {} has {}; make a report of each data set",
            first_path.display(),
            text(first),
            path.display(),
            text(other)
        ))
        .into())
    }
}

/// The configuration with only those differences of the measurement that matter: content instead of places, and sizes
/// instead of "the default".
fn measurement(config: &RunConfig, truth: Option<&Truth>) -> RunConfig {
    let mut config = resolved(config, truth);
    // The fingerprints are compared instead.
    config.data.fingerprint = None;
    // The budget of a comparison sets the interval.
    config.probes.interval = 1;
    config
}

/// Compares the first measurement with all others.
fn check_measurements<'a>(mut all: impl Iterator<Item = (&'a Path, RunConfig)>) -> Result<()> {
    let Some((first_path, first)) = all.next() else { return Ok(()) };
    for (path, other) in all {
        if let Some(difference) = other_measurement(&first, &other)? {
            return Err(UsageError(format!(
                "these runs cannot be compared: {} is {} in {} and {} in {}; make a report of each",
                difference.key,
                difference.old,
                first_path.display(),
                difference.new,
                path.display()
            ))
            .into());
        }
    }
    Ok(())
}
