//! The rows that each event of a run adds to its files.

use super::{Recorder, TrainingPosition};
use nas_core::event::{Evaluated, Event, Observer, ProbesDone, Purpose, SavePoint, StandAloneEpoch, Trained};
use nas_core::state::State;
use std::io;

impl Observer for Recorder {
    fn observe(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.add(event)?;
        self.schedule.observe(event);
        match event {
            Event::Warning(_)
            | Event::Epoch(_)
            | Event::StandAloneEpoch(_)
            | Event::Probes(_)
            | Event::Controller(_)
            | Event::Trained(_) => self.flush(),
            Event::Start(_) | Event::Note(_) | Event::Step(_) | Event::Evaluating(_) | Event::Evaluated(_) => Ok(()),
        }
    }

    fn needs_state(&mut self, point: SavePoint) -> bool {
        self.is_state_due(point)
    }

    fn receive_state(&mut self, state: State, point: SavePoint) -> io::Result<()> {
        self.write_state(state, point)
    }
}

impl Recorder {
    /// Adds the rows of an event.
    fn add(&mut self, event: &Event<'_>) -> io::Result<()> {
        match event {
            Event::Start(size) => {
                self.size = Some(size.clone());
                Ok(())
            }
            Event::Evaluating(_) => Ok(()),
            Event::Trained(done) => self.trained(done),
            Event::Note(text) => self.log.line("note", self.at.step, text),
            Event::Warning(text) => self.log.line("warning", self.at.step, text),
            Event::Step(done) => {
                let images = if done.epoch == self.at.epoch { self.at.images } else { 0 };
                let images = images + done.images * done.paths;
                self.at = TrainingPosition { step: done.step + 1, epoch: done.epoch, images };
                self.metric("train", "loss", done.loss)
            }
            Event::Epoch(done) => {
                self.metric("train", "mean_loss", done.train_loss)?;
                self.metric("train", "lr", done.lr)?;
                self.metric("train", "gradient_norm", done.gradient_norm)?;
                self.metric("train", "fairness_min", done.fairness.0 as f64)?;
                self.metric("train", "fairness_max", done.fairness.1 as f64)?;
                let (times, figures): (Vec<_>, Vec<_>) =
                    done.metrics.iter().cloned().partition(|(name, _)| name.starts_with("time."));
                self.figures("strategy", &figures)?;
                self.time("train_s", done.seconds)?;
                self.time("images_per_s", self.at.images as f64 / done.seconds)?;
                times.iter().try_for_each(|(name, value)| self.time(name, *value))
            }
            Event::StandAloneEpoch(done) => self.stand_alone_epoch(done),
            Event::Probes(done) => self.probes(done),
            Event::Controller(done) => {
                self.metric("controller", "reward", done.reward)?;
                self.figures("controller", &done.metrics)
            }
            Event::Evaluated(done) => self.evaluated(done),
        }
    }

    fn metric(&mut self, split: &str, name: &str, value: f64) -> io::Result<()> {
        let TrainingPosition { step, epoch, .. } = self.at;
        if let Some(events) = &mut self.events {
            events.scalar(&format!("{split}/{name}"), step, value)?;
        }
        self.metrics.row(&[&step.to_string(), &epoch.to_string(), split, name, &value.to_string()])
    }

    fn figures(&mut self, split: &str, figures: &[(String, f64)]) -> io::Result<()> {
        figures.iter().try_for_each(|(name, value)| self.metric(split, name, *value))
    }

    /// Adds a row to `timings.csv`, which holds the values that differ between equal runs.
    fn time(&mut self, name: &str, value: f64) -> io::Result<()> {
        self.timings.row(&[&self.at.epoch.to_string(), name, &value.to_string()])
    }

    fn arch(&mut self, purpose: &str, arch: &str, accuracy: f64, truth: &str, params: &str) -> io::Result<()> {
        let TrainingPosition { step, epoch, .. } = self.at;
        self.archs.row(&[&step.to_string(), &epoch.to_string(), purpose, arch, &accuracy.to_string(), truth, params])
    }

    fn stand_alone_epoch(&mut self, done: &StandAloneEpoch) -> io::Result<()> {
        self.metric("train", "mean_loss", done.train_loss)?;
        self.metric("train", "lr", done.lr)?;
        self.metric("train", "gradient_norm", done.gradient_norm)?;
        if let Some(evaluation) = done.evaluation {
            self.metric("eval", "accuracy", evaluation.accuracy)?;
            self.metric("eval", "top5_accuracy", evaluation.top5_accuracy)?;
            self.metric("eval", "loss", evaluation.loss)?;
        }
        self.time("train_s", done.seconds)?;
        self.time("images_per_s", self.at.images as f64 / done.seconds)
    }

    fn probes(&mut self, done: &ProbesDone<'_>) -> io::Result<()> {
        for (arch, accuracy) in done.archs.iter().zip(done.accuracies) {
            self.arch("probe", arch, *accuracy, "", "")?;
        }
        self.figures("probe", &done.figures)
    }

    fn trained(&mut self, done: &Trained<'_>) -> io::Result<()> {
        let rows = done.archs.iter().zip(done.accuracies);
        rows.into_iter().try_for_each(|(arch, accuracy)| self.arch("sequence", arch, *accuracy, "", ""))
    }

    fn evaluated(&mut self, done: &Evaluated<'_>) -> io::Result<()> {
        let purpose = match done.purpose {
            Purpose::Proposal => "proposal",
            Purpose::Truth => "truth",
        };
        let truth = done.truth.map(|truth| truth.to_string()).unwrap_or_default();
        self.arch(purpose, done.text, done.accuracy, &truth, &done.params.to_string())
    }
}
