//! The loop.

use super::{RunError, Session, memory};
use crate::event::{Evaluating, Event, Observer, Phase, ProbesDone};
use crate::registry::Target;
use crate::result::{Fairness, RunResult, SCHEMA};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What the loop has measured so far.
#[derive(Default)]
struct Progress {
    epochs: usize,
    train_s: f64,
    train_loss: Option<f64>,
    interrupted: bool,
}

impl<D: Target> Session<D> {
    /// Trains, searches and compares with the truth, telling `observer` everything on the way. When `cancel` becomes
    /// true, the run ends after the step at hand, with what was measured until then.
    ///
    /// # Errors
    /// Diverged training, a strategy or controller that gives up, a device or an observer that fails.
    pub fn run(mut self, observer: &mut dyn Observer, cancel: &AtomicBool) -> Result<RunResult, RunError> {
        let started = Instant::now();
        self.announce(observer)?;
        self.warn(observer)?;
        let mut progress = Progress::default();
        for epoch in 0..self.epochs() {
            let trained = self.train_epoch(epoch, observer, cancel)?;
            progress.train_s += trained.seconds;
            if trained.complete {
                progress.epochs = epoch + 1;
                progress.train_loss = Some(trained.loss);
            }
            if !trained.complete || !self.probe(epoch, observer, cancel)? {
                progress.interrupted = true;
                break;
            }
            if epoch >= self.config.controller_start() {
                self.train_controller(epoch, observer, cancel)?;
                self.controller_draws = true;
            }
        }
        let selected = if progress.interrupted { None } else { self.choose(observer, cancel)? };
        let truth = if progress.interrupted { None } else { self.compare_with_truth(observer, cancel)? };
        progress.interrupted |= cancel.load(Ordering::Relaxed);
        let config = &self.config;
        let fairness = self.audit.summary().map(|s| Fairness {
            min: s.min,
            max: s.max,
            mean: s.mean,
            counts: (0..self.audit.decisions()).filter_map(|d| self.audit.histogram(d)).map(<[u64]>::to_vec).collect(),
        });
        let telemetry = known(self.strategy.telemetry().into_iter().chain(self.controller.telemetry()));
        Ok(RunResult {
            r#type: "result".into(),
            schema: SCHEMA,
            strategy: config.strategy.name.clone(),
            controller: config.controller.name.clone(),
            space: config.space.name.clone(),
            data: config.data.name.clone(),
            seed: config.seed,
            device: config.device.clone(),
            threads: rayon::current_num_threads(),
            interrupted: progress.interrupted,
            epochs: progress.epochs,
            steps: self.steps,
            subnet_passes: self.subnet_passes,
            images: self.images,
            eval_images: self.evaluator.images(),
            wall_s: started.elapsed().as_secs_f64(),
            train_s: progress.train_s,
            images_per_s: (progress.train_s > 0.0).then(|| self.images as f64 / progress.train_s),
            peak_rss_mb: memory::peak_rss_mb(),
            selected,
            train_loss: progress.train_loss,
            probes: self.probe_result(),
            truth,
            fairness,
            telemetry,
        })
    }

    pub(super) fn announce(&self, observer: &mut dyn Observer) -> Result<(), RunError> {
        observer.observe(&Event::Start(self.size()))?;
        for note in self.strategy.notes() {
            observer.observe(&Event::Note(note))?;
        }
        Ok(())
    }

    fn warn(&self, observer: &mut dyn Observer) -> Result<(), RunError> {
        let (start, epochs) = (self.config.controller_start(), self.epochs());
        if self.controller.samples_per_epoch() > 0 && start >= epochs {
            observer.observe(&Event::Warning(format!(
                "the controller would start at epoch {start}, but the run ends after epoch {}: it stays untrained \
                 (--controller-start)",
                epochs - 1
            )))?;
        }
        if self.truth.is_none() && self.config.truth.samples != "0" {
            observer.observe(&Event::Note(format!(
                "space {} has no truth table: there will be no comparison with stand-alone training",
                self.space.name()
            )))?;
        }
        Ok(())
    }

    /// Evaluates the probes; false if `cancel` came first.
    fn probe(&mut self, epoch: usize, observer: &mut dyn Observer, cancel: &AtomicBool) -> Result<bool, RunError> {
        let Some(probes) = &self.probes else { return Ok(true) };
        let total = probes.archs.len();
        let mut each = |number, _| {
            let (phase, done) = (Phase::Probes, number + 1);
            observer.observe(&Event::Evaluating(Evaluating { phase, epoch, done, total }))?;
            Ok(())
        };
        let Some(accuracies) = self.evaluate_all(&probes.archs, cancel, &mut each)? else { return Ok(false) };
        let Some(probes) = &mut self.probes else { return Ok(true) };
        probes.push(accuracies)?;
        let mut figures = probes.figures();
        figures.extend(self.watch.figures());
        observer.observe(&Event::Probes(ProbesDone {
            steps: self.steps,
            epoch,
            archs: &probes.texts,
            accuracies: probes.latest(),
            figures,
        }))?;
        Ok(true)
    }
}

/// Telemetry without values that are no numbers, which JSON cannot hold.
pub(super) fn known(telemetry: impl IntoIterator<Item = (String, f64)>) -> BTreeMap<String, f64> {
    telemetry.into_iter().filter(|(_, value)| value.is_finite()).collect()
}
