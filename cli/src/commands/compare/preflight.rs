//! Building every variant before the first run, so that a variant that cannot be run is refused at once.

use super::times::StepTimes;
use super::{ComparisonJob, MakeDevice};
use crate::parallel::{ThreadsPerJob, in_thread_pool};
use crate::settings::Settings;
use crate::trained_run::check_initial_weights;
use anyhow::{Context, Result};
use nas_core::registry::TrainingDevice;
use nas_core::trainer::{RunError, RunShape, Sequence, Session, run_shape, seconds_per_step};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long the steps of a variant are timed for a budget of time.
const TIMING_DURATION: Duration = Duration::from_secs(3);

/// The properties of a variant that its runs are planned by.
pub struct Preflight {
    /// Paths per step and steps per epoch.
    pub shape: RunShape,
    /// SHA-256 of the truth table; none if the runs are not compared with one.
    pub truth: Option<String>,
    /// Whether a sequence is asked for, and the strategy trains given architectures, as it requires.
    pub accepts_sequence: bool,
}

impl ComparisonJob<'_> {
    /// Builds every variant as its runs will, so that errors appear before the first run. Returns the sizes that the
    /// plan of the comparison needs; none if the comparison was interrupted.
    pub fn preflight<D: TrainingDevice>(&self, device: MakeDevice<'_, D>) -> Result<Option<Vec<Preflight>>> {
        let mut preflights = Vec::new();
        for (variant, settings) in self.variants.iter().zip(&self.settings) {
            if self.interrupted() {
                return Ok(None);
            }
            let preflight = self.preflight_of(settings, device).map_err(|error| settings.explain(error));
            preflights.push(preflight.with_context(|| variant.named())?);
        }
        Ok(Some(preflights))
    }

    /// Whether an interrupt signal has arrived.
    pub fn interrupted(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    fn preflight_of<D: TrainingDevice>(&self, settings: &Settings, device: MakeDevice<'_, D>) -> Result<Preflight> {
        check_initial_weights(settings)?;
        let session = Session::new(&settings.config, self.data.dataset.clone(), &device()?)?;
        let truth = session.truth_sha256().map(Into::into);
        let mut preflight = Preflight { shape: run_shape(session)?, truth, accepts_sequence: self.args.sequence > 0 };
        if self.args.sequence > 0 {
            match Sequence::new(&settings.config, self.data.dataset.clone(), &device()?, self.args.sequence) {
                Ok(_) => {}
                Err(RunError::OwnPlans { .. }) => preflight.accepts_sequence = false,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(preflight)
    }

    /// The duration of a step of each variant in seconds, measured once per output directory; none if the comparison
    /// was interrupted.
    pub fn seconds_per_step<D: TrainingDevice>(
        &self,
        threads_per_job: ThreadsPerJob,
        device: MakeDevice<'_, D>,
    ) -> Result<Option<Vec<f64>>> {
        let mut times = StepTimes::open(self.out.join("step_times.json"))?;
        let variants = || self.variants.iter().map(|variant| &variant.label).zip(&self.settings);
        // All known times are checked before the first new one is written.
        let known = variants().map(|(label, settings)| times.get(label, &settings.config, threads_per_job.threads));
        let known = known.collect::<Result<Vec<_>>>()?;
        let mut seconds = Vec::new();
        for ((label, Settings { config, .. }), known) in variants().zip(known) {
            if let Some(known) = known {
                seconds.push(known);
                continue;
            }
            if self.interrupted() {
                return Ok(None);
            }
            let measured = in_thread_pool(threads_per_job.threads, || {
                let session = Session::new(config, self.data.dataset.clone(), &device()?)?;
                Ok(seconds_per_step(session, TIMING_DURATION, self.cancel)?)
            })?;
            let Some(measured) = measured else { return Ok(None) };
            times.add(label, config, threads_per_job.threads, measured)?;
            seconds.push(measured);
        }
        Ok(Some(seconds))
    }
}
