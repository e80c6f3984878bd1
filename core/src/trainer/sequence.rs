//! Architectures trained one after another with shared weights: the disturbance matrix of the DINAS paper, figure 1(b).

use super::run::known;
use super::{RunError, Session};
use crate::arch::Arch;
use crate::config::{ConfigError, RunConfig};
use crate::data::Dataset;
use crate::event::{Event, Observer, Trained};
use crate::metrics::disturbance::DisturbanceMatrix;
use crate::registry::Target;
use crate::result::{SCHEMA, SequenceResult, SequenceStep};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A sequence of distinct random architectures, each trained for the configured number of epochs.
pub struct Sequence<D: Target> {
    session: Session<D>,
    archs: Vec<Arch>,
}

impl<D: Target> Sequence<D> {
    /// Draws `n` architectures from a stream of their own and prepares to train each for `config.train.epochs` epochs.
    ///
    /// # Errors
    /// As [`Session::new`]; fewer than two or more than all architectures of the space; a strategy that does not train
    /// what is drawn.
    pub fn new(config: &RunConfig, dataset: Arc<Dataset>, device: &D, n: usize) -> Result<Self, RunError> {
        let mut config = config.clone();
        config.probes.count = 0;
        config.truth.samples = "0".into();
        config.train.max_steps = 0;
        let epochs = config.train.epochs;
        // One plan lasts as long as one architecture is trained.
        let mut session = Session::with_steps(&config, dataset, device, n * epochs, |batches| batches * epochs)?;
        let count = session.space.count();
        if n < 2 || n as u64 > count {
            let expected = format!("2 to {count}, the architectures of space {}", session.space.name());
            return Err(ConfigError::Range { key: "--sequence", expected, found: n.to_string() }.into());
        }
        let archs = session.space.sample_distinct(n, &mut session.streams.rng("sequence", 0));
        session.drawn = archs.first().cloned();
        session.next_plan()?;
        if session.plan.paths.iter().any(|path| Some(&path.arch) != archs.first()) {
            return Err(RunError::OwnPlans { strategy: config.strategy.name.clone() });
        }
        Ok(Self { session, archs })
    }

    /// The session that trains.
    pub fn session(&self) -> &Session<D> {
        &self.session
    }

    /// Trains the architectures in order, and evaluates all trained so far after each.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn run(mut self, observer: &mut dyn Observer, cancel: &AtomicBool) -> Result<SequenceResult, RunError> {
        self.session.announce(observer)?;
        let mut matrix = DisturbanceMatrix::new();
        let mut steps = Vec::new();
        for (number, arch) in self.archs.iter().enumerate() {
            self.session.drawn = Some(arch.clone());
            let (before, epochs) = (matrix.rows(), self.session.config.train.epochs);
            for epoch in number * epochs..(number + 1) * epochs {
                if !self.session.train_epoch(epoch, observer, cancel)?.complete {
                    return Ok(self.result(&matrix, steps, true));
                }
            }
            // Not to be cut short: what has been trained is measured.
            let never = AtomicBool::new(false);
            let column = self.session.evaluate_all(&self.archs[..=number], &never, &mut |_, _| Ok(()))?;
            let column = column.unwrap_or_default();
            for (earlier, row) in before.iter().enumerate() {
                let old = row.last().copied().flatten().unwrap_or(column[earlier]);
                let shared = self.session.shared_layers(&self.archs[earlier], arch)?;
                steps.push(SequenceStep { trained: number, earlier, shared, change: column[earlier] - old });
            }
            let (archs, total) = (self.texts(number + 1), self.archs.len());
            observer.observe(&Event::Trained(Trained { number, total, archs: &archs, accuracies: &column }))?;
            matrix.push(column)?;
            if cancel.load(Ordering::Relaxed) {
                return Ok(self.result(&matrix, steps, number + 1 < self.archs.len()));
            }
        }
        Ok(self.result(&matrix, steps, false))
    }

    fn texts(&self, n: usize) -> Vec<String> {
        self.archs[..n].iter().map(|arch| self.session.space.format(arch)).collect()
    }

    fn result(&self, matrix: &DisturbanceMatrix, steps: Vec<SequenceStep>, interrupted: bool) -> SequenceResult {
        let (session, summary) = (&self.session, matrix.summary());
        SequenceResult {
            r#type: "disturbance".into(),
            schema: SCHEMA,
            strategy: session.config.strategy.name.clone(),
            space: session.config.space.name.clone(),
            data: session.config.data.name.clone(),
            seed: session.config.seed,
            interrupted,
            sequence: matrix.len(),
            epochs_each: session.config.train.epochs,
            own: summary.map(|s| s.own),
            r#final: summary.map(|s| s.end),
            drop: summary.and_then(|s| s.drop),
            change_per_task: summary.and_then(|s| s.change_per_task),
            archs: self.texts(matrix.len()),
            matrix: matrix.rows(),
            steps,
            telemetry: known(session.strategy.telemetry()),
        }
    }
}
