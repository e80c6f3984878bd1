//! Architectures trained one after another with shared weights: the disturbance matrix of the DINAS paper, figure 1(b).

use super::{RunError, Session, build_space, finite_figures};
use crate::arch::Arch;
use crate::config::{ConfigError, RunConfig};
use crate::data::Dataset;
use crate::event::{Event, Observer, Trained};
use crate::metrics::disturbance::DisturbanceMatrix;
use crate::registry::Target;
use crate::result::{SCHEMA, SequenceResult, SequenceStep};
use crate::streams::Streams;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A sequence of distinct random architectures. Each is trained for the configured number of epochs before the next one.
pub struct Sequence<D: Target> {
    session: Session<D>,
    archs: Vec<Arch>,
}

impl<D: Target> Sequence<D> {
    /// Draws `n` architectures from the random stream `sequence`, to train each for `config.train.epochs` epochs.
    ///
    /// # Errors
    /// As [`Session::new`]; fewer than two architectures or more than the space has; a strategy that trains other
    /// architectures than it draws.
    pub fn new(config: &RunConfig, dataset: Arc<Dataset>, device: &D, n: usize) -> Result<Self, RunError> {
        let mut config = config.clone();
        config.probes.count = 0;
        config.truth.samples = "0".into();
        config.train.max_steps = 0;
        let epochs = config.train.epochs;
        let shape = dataset.shape();
        let image = [shape.height, shape.width, shape.channels];
        let space = build_space(&config, image, dataset.classes.len())?;
        let count = space.count();
        if n < 2 || n as u64 > count {
            let expected = format!("2 to {count}, the architectures of space {}", space.name());
            return Err(ConfigError::Range { key: "--sequence", expected, found: n.to_string() }.into());
        }
        // One plan lasts for all epochs of one architecture.
        let mut session = Session::with_length(&config, dataset, device, n * epochs, |batches| batches * epochs)?;
        let archs = session.space().sample_distinct(n, &mut Streams::new(config.seed).rng("sequence", 0));
        session.force_arch(archs[0].clone());
        if session.plan()?.iter().any(|path| path.path.arch != archs[0]) {
            return Err(RunError::OwnPlans { strategy: config.strategy.name });
        }
        Ok(Self { session, archs })
    }

    /// The session that trains the architectures.
    pub fn session(&self) -> &Session<D> {
        &self.session
    }

    /// Trains the architectures in order. After each, evaluates all architectures trained so far.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn run(mut self, observer: &mut dyn Observer, cancel: &AtomicBool) -> Result<SequenceResult, RunError> {
        self.session.announce(observer)?;
        let mut matrix = DisturbanceMatrix::new();
        let mut steps = Vec::new();
        for (number, arch) in self.archs.iter().enumerate() {
            self.session.force_arch(arch.clone());
            for _ in 0..self.session.config().train.epochs {
                if !self.session.train_epoch(observer, cancel)? {
                    return Ok(self.result(&matrix, steps, true));
                }
                self.session.next_epoch();
            }
            // Evaluated even after `cancel`, so that no finished training is lost.
            let never = AtomicBool::new(false);
            let supernet = self.session.supernet();
            let column = supernet.evaluate_all(&self.archs[..=number], &never, &mut |_, _| Ok(()))?;
            let column = column.unwrap_or_default();
            for (earlier, row) in matrix.rows().iter().enumerate() {
                let old = row.last().copied().flatten().unwrap_or(column[earlier]);
                let shared = supernet.shared_layers(&self.archs[earlier], [arch])?;
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
        self.archs[..n].iter().map(|arch| self.session.space().format(arch)).collect()
    }

    fn result(&self, matrix: &DisturbanceMatrix, steps: Vec<SequenceStep>, interrupted: bool) -> SequenceResult {
        let (config, summary) = (self.session.config(), matrix.summary());
        SequenceResult {
            r#type: "disturbance".into(),
            schema: SCHEMA,
            strategy: config.strategy.name.clone(),
            space: config.space.name.clone(),
            data: config.data.name.clone(),
            seed: config.seed,
            interrupted,
            sequence: matrix.len(),
            epochs_each: config.train.epochs,
            own: summary.map(|s| s.own),
            r#final: summary.map(|s| s.end),
            drop: summary.and_then(|s| s.drop),
            change_per_task: summary.and_then(|s| s.change_per_task),
            archs: self.texts(matrix.len()),
            matrix: matrix.rows(),
            steps,
            telemetry: finite_figures(self.session.supernet().strategy().telemetry()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trainer::test_support;
    use dfdx::prelude::Cpu;

    fn sequence(behaviour: &str, n: usize) -> Result<SequenceResult, RunError> {
        let config = test_support::config(behaviour, |c| c.train.epochs = 2);
        let sequence = Sequence::new(&config, test_support::dataset(&config), &Cpu::default(), n)?;
        sequence.run(&mut |_: &Event<'_>| Ok(()), &AtomicBool::new(false))
    }

    #[test]
    fn a_sequence_fills_the_upper_triangle_of_its_matrix() {
        let result = sequence("", 4).unwrap();
        assert_eq!((result.sequence, result.epochs_each, result.archs.len()), (4, 2, 4));
        for (i, row) in result.matrix.iter().enumerate() {
            assert!(row.iter().enumerate().all(|(j, value)| value.is_some() == (j >= i)));
        }
        assert_eq!(result.steps.len(), 6);
        let step = &result.steps[0];
        assert_eq!((step.trained, step.earlier), (1, 0));
        assert_eq!(step.change, result.matrix[0][1].unwrap() - result.matrix[0][0].unwrap());
        assert!(result.steps.iter().all(|step| step.shared <= 2));
    }

    #[test]
    fn frozen_weights_have_no_drop() {
        let result = sequence("freeze", 3).unwrap();
        assert_eq!((result.drop, result.change_per_task), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn a_sequence_needs_two_architectures_and_a_strategy_that_trains_them() {
        for n in [0, 1, 10] {
            assert!(sequence("", n).unwrap_err().to_string().contains("--sequence: expected 2 to 9"));
        }
        assert!(sequence("own_arch", 3).unwrap_err().to_string().contains("plans architectures of its own"));
    }
}
