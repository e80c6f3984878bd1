//! The loop.

use super::{RunError, Session, memory};
use crate::event::{EpochDone, Event, Observer, ProbesDone};
use crate::registry::Target;
use crate::result::{Fairness, RunResult};
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

/// Means over an epoch.
#[derive(Default)]
struct EpochMeans {
    loss: f64,
    norm: f64,
    steps: usize,
    lr: f64,
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
        let mut progress = Progress::default();
        for epoch in 0..self.config.train.epochs {
            let done = self.train_epoch(epoch, &mut progress, observer, cancel)?;
            if !done {
                progress.interrupted = true;
                break;
            }
            if epoch >= self.config.controller_start() {
                self.train_controller(epoch, observer, cancel)?;
                self.controller_draws = true;
            }
        }
        let best = if progress.interrupted { None } else { self.choose(observer, cancel)? };
        let truth = if progress.interrupted { None } else { self.compare_with_truth(observer, cancel)? };
        progress.interrupted |= cancel.load(Ordering::Relaxed);
        let config = &self.config;
        let fairness = self.audit.summary().map(|s| Fairness { min: s.min, max: s.max, mean: s.mean });
        let telemetry = self.strategy.telemetry().into_iter().chain(self.controller.telemetry()).collect();
        Ok(RunResult {
            r#type: "result".into(),
            schema: 1,
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
            wall_s: started.elapsed().as_secs_f64(),
            train_s: progress.train_s,
            images_per_s: (progress.train_s > 0.0).then(|| self.images as f64 / progress.train_s),
            peak_rss_mb: memory::peak_rss_mb(),
            best,
            train_loss: progress.train_loss,
            probes: self.probe_result(),
            truth,
            fairness,
            telemetry,
        })
    }

    fn announce(&self, observer: &mut dyn Observer) -> Result<(), RunError> {
        observer.observe(&Event::Start(self.size()))?;
        for note in self.strategy.notes() {
            observer.observe(&Event::Note(note))?;
        }
        let (start, epochs) = (self.config.controller_start(), self.config.train.epochs);
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

    /// Whether the epoch ran to its end.
    fn train_epoch(
        &mut self,
        epoch: usize,
        progress: &mut Progress,
        observer: &mut dyn Observer,
        cancel: &AtomicBool,
    ) -> Result<bool, RunError> {
        let started = Instant::now();
        let mut means = EpochMeans::default();
        for batch in self.loader.epoch(epoch as u64, 0)? {
            if cancel.load(Ordering::Relaxed) {
                progress.train_s += started.elapsed().as_secs_f64();
                return Ok(false);
            }
            let outcome = self.step(batch?, epoch)?;
            means.loss += outcome.done.loss;
            means.norm += outcome.gradient_norm;
            means.lr = outcome.lr;
            means.steps += 1;
            observer.observe(&Event::Step(outcome.done))?;
        }
        self.strategy.end_epoch(epoch).map_err(|e| self.strategy_error(e))?;
        let seconds = started.elapsed().as_secs_f64();
        let steps = means.steps.max(1) as f64;
        progress.train_s += seconds;
        progress.train_loss = Some(means.loss / steps);
        progress.epochs = epoch + 1;
        observer.observe(&Event::Epoch(EpochDone {
            steps: self.steps,
            epoch,
            train_loss: means.loss / steps,
            lr: means.lr,
            gradient_norm: means.norm / steps,
            fairness: self.audit.summary().map_or((0, 0), |s| (s.min, s.max)),
            telemetry: self.strategy.telemetry(),
            seconds,
        }))?;
        self.probe(epoch, observer, cancel)
    }

    /// Evaluates the probes; false if `cancel` came first.
    fn probe(&mut self, epoch: usize, observer: &mut dyn Observer, cancel: &AtomicBool) -> Result<bool, RunError> {
        let Some(probes) = &self.probes else { return Ok(true) };
        let Some(accuracies) = self.evaluate_all(&probes.archs, cancel, &mut |_, _| Ok(()))? else {
            return Ok(false);
        };
        let immediate = self.immediate.summary();
        let Some(probes) = &mut self.probes else { return Ok(true) };
        probes.push(accuracies)?;
        let mut figures = probes.figures();
        if let Some(immediate) = immediate {
            figures.push(("immediate_loss".into(), immediate.loss));
            figures.push(("immediate_abs_loss".into(), immediate.abs_loss));
            figures.push(("immediate_accuracy".into(), immediate.accuracy));
        }
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
