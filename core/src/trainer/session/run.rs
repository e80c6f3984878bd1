//! The loop over the phases of a run.

use super::Session;
use super::controller_phase::train_controller;
use super::progress::EpochPhase;
use super::selection::select;
use crate::event::{Evaluating, Event, Observer, Phase, ProbesDone, SavePoint, offer_state};
use crate::registry::TrainingDevice;
use crate::result::{RunResult, SCHEMA, Selected, Truth};
use crate::trainer::monitor::TruthComparison;
use crate::trainer::{RunError, finite_figures, memory};
use std::sync::atomic::AtomicBool;

impl<D: TrainingDevice> Session<D> {
    /// Trains, selects an architecture and compares the ranking with the truth table. `observer` receives every event.
    ///
    /// If `cancel` becomes true, the run ends after the current step or evaluation, and the result holds the
    /// measurements until then. A session continues such a run in a further call, or in another process after
    /// [`save`](Self::save) and [`restore`](Self::restore).
    ///
    /// # Errors
    /// Diverged training, or a strategy, controller, device or observer that fails.
    pub fn run(&mut self, observer: &mut dyn Observer, cancel: &AtomicBool) -> Result<RunResult, RunError> {
        self.progress.start_clock();
        self.announce(observer)?;
        self.warn(observer)?;
        let trained = self.train(observer, cancel)?;
        self.progress.count_time();
        let point = if trained { SavePoint::Trained } else { SavePoint::Interrupted };
        offer_state(observer, point, || self.save())?;
        let (mut selected, mut compared) = (None, None);
        let mut interrupted = !trained;
        if trained {
            let proposals = self.planner.source_mut().propose(self.config.search.proposals)?;
            selected = select(&proposals, &self.supernet, self.monitor.truth(), observer, cancel)?;
            compared = self.compare_with_truth(observer, cancel)?;
            interrupted = selected.is_none() || (compared.is_none() && self.monitor.truth().is_some());
        }
        self.progress.count_time();
        Ok(self.result(interrupted, selected, compared))
    }

    /// Reports the size of the run and the notes of the strategy.
    pub(in crate::trainer) fn announce(&self, observer: &mut dyn Observer) -> Result<(), RunError> {
        observer.observe(&Event::Start(self.size()))?;
        for note in self.supernet.strategy().notes() {
            observer.observe(&Event::Note(note))?;
        }
        Ok(())
    }

    fn warn(&self, observer: &mut dyn Observer) -> Result<(), RunError> {
        let (start, epochs) = (self.config.controller_start(), self.epochs());
        if self.planner.source().samples_per_epoch() > 0 && start >= epochs {
            observer.observe(&Event::Warning(format!(
                "the controller is never trained: its training would start at epoch {start}, and the last epoch is {}; \
                 lower --controller-start",
                epochs - 1
            )))?;
        }
        if let Some(warning) = self.monitor.truth().and_then(TruthComparison::unit_warning) {
            observer.observe(&Event::Warning(warning))?;
        }
        if self.monitor.truth().is_none() && self.config.truth.samples != "0" {
            observer.observe(&Event::Note(format!(
                "space {} has no truth table: there will be no comparison with stand-alone training",
                self.space().name()
            )))?;
        }
        Ok(())
    }

    /// Runs the remaining phases of the remaining epochs. Returns false if `cancel` became true first.
    fn train(&mut self, observer: &mut dyn Observer, cancel: &AtomicBool) -> Result<bool, RunError> {
        while self.progress.epoch < self.epochs() {
            let epoch = self.progress.epoch;
            let starts_controller = epoch >= self.config.controller_start();
            let (complete, next) = match &mut self.progress.phase {
                EpochPhase::Training => (self.train_epoch(observer, cancel)?, Some(EpochPhase::Probes)),
                EpochPhase::Probes => {
                    let controller = starts_controller.then(|| EpochPhase::Controller(Default::default()));
                    (self.evaluate_probes(observer, cancel)?, controller)
                }
                EpochPhase::Controller(progress) => {
                    let source = self.planner.source_mut();
                    (train_controller(progress, epoch, source, &self.supernet, observer, cancel)?, None)
                }
            };
            if !complete {
                return Ok(false);
            }
            if let EpochPhase::Controller(_) = self.progress.phase {
                self.planner.source_mut().draw_from_controller();
            }
            let ends_epoch = next.is_none();
            self.progress.epoch += usize::from(ends_epoch);
            self.progress.phase = next.unwrap_or_default();
            if ends_epoch {
                self.progress.count_time();
                offer_state(observer, SavePoint::Epoch(self.progress.epoch), || self.save())?;
            }
        }
        Ok(true)
    }

    /// Evaluates the probe architectures. Returns false if `cancel` became true first.
    fn evaluate_probes(&mut self, observer: &mut dyn Observer, cancel: &AtomicBool) -> Result<bool, RunError> {
        let Some(probes) = self.monitor.probes() else { return Ok(true) };
        let (epoch, total) = (self.progress.epoch, probes.archs().len());
        let mut each = |number, _| {
            let (phase, done) = (Phase::Probes, number + 1);
            observer.observe(&Event::Evaluating(Evaluating { phase, epoch, done, total }))?;
            Ok(())
        };
        let Some(accuracies) = self.supernet.evaluate_all(probes.archs(), cancel, &mut each)? else {
            return Ok(false);
        };
        let figures = self.monitor.end_probes(accuracies)?;
        let Some(probes) = self.monitor.probes() else { return Ok(true) };
        observer.observe(&Event::Probes(ProbesDone {
            steps: self.supernet.training().counters().steps,
            epoch,
            archs: probes.texts(),
            accuracies: probes.latest(),
            figures,
        }))?;
        Ok(true)
    }

    fn result(&self, interrupted: bool, selected: Option<Selected>, truth: Option<Truth>) -> RunResult {
        let (config, progress) = (&self.config, &self.progress);
        let counters = self.supernet.training().counters();
        let telemetry = self.supernet.strategy().metrics().into_iter().chain(self.planner.source().metrics());
        RunResult {
            r#type: "result".into(),
            schema: SCHEMA,
            strategy: config.strategy.name.clone(),
            controller: config.controller.name.clone(),
            space: config.space.name.clone(),
            data: config.data.name.clone(),
            seed: config.seed,
            device: config.device.clone(),
            threads: rayon::current_num_threads(),
            interrupted,
            epochs: progress.trained_epochs,
            steps: counters.steps,
            subnet_passes: counters.subnet_passes,
            images: counters.images,
            eval_images: self.eval_images(),
            wall_s: progress.wall_s,
            train_s: progress.train_s,
            images_per_s: (progress.train_s > 0.0).then(|| counters.images as f64 / progress.train_s),
            peak_rss_mb: memory::peak_rss_mb(),
            selected,
            train_loss: progress.train_loss,
            probes: self.monitor.probe_result(),
            truth,
            fairness: self.monitor.fairness(),
            telemetry: finite_figures(telemetry),
        }
    }
}
