//! Architectures trained one after another with shared weights: the disturbance matrix of the DINAS paper, figure 1(b).

use super::{EvalImages, RunError, Session, build_space, finite_figures};
use crate::arch::Arch;
use crate::config::{ConfigError, RunConfig};
use crate::data::Dataset;
use crate::event::{Event, Observer, SavePoint, Trained, offer_state};
use crate::metrics::disturbance::DisturbanceMatrix;
use crate::registry::TrainingDevice;
use crate::result::{AccuracyChange, SCHEMA, SequenceResult};
use crate::state::{State, StateError};
use crate::streams::Streams;
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Name of the progress in saved state.
const PROGRESS_KEY: &str = "sequence";

/// Largest number of architectures of a sequence. The time and memory of its evaluations grow with the square.
const MAX_SEQUENCE: u64 = 10_000;

/// A sequence of distinct random architectures. Each is trained for the configured number of epochs before the next
/// one.
pub struct Sequence<D: TrainingDevice> {
    session: Session<D>,
    archs: Vec<Arch>,
    progress: SequenceProgress,
}

/// Measurements of a sequence so far. The position within the training of an architecture is that of the session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct SequenceProgress {
    /// Number of complete epochs of the current architecture.
    epochs: usize,
    /// Accuracies in percent after the training of each architecture, of all architectures so far.
    columns: Vec<Vec<f64>>,
    steps: Vec<AccuracyChange>,
}

impl<D: TrainingDevice> Sequence<D> {
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
        // An average would hide what the training of an architecture does to the others.
        config.eval.weight_average = 0.0;
        let epochs = config.train.epochs;
        let shape = dataset.shape();
        let image = [shape.height, shape.width, shape.channels];
        let space = build_space(&config, image, dataset.classes.len())?;
        let count = space.count();
        let most = count.min(MAX_SEQUENCE);
        if n < 2 || n as u64 > most {
            let expected = match most {
                MAX_SEQUENCE => format!("2 to {MAX_SEQUENCE}"),
                _ => format!("2 to {count}, the architectures of space {}", space.name()),
            };
            return Err(ConfigError::Range { key: "--sequence", expected, found: n.to_string() }.into());
        }
        // One plan lasts for all epochs of one architecture.
        let mut session =
            Session::with_length(&config, dataset, device, n * epochs, EvalImages::Validation, |batches| {
                batches * epochs
            })?;
        let archs = session.space().sample_distinct(n, &mut Streams::new(config.seed).rng("sequence", 0));
        session.force_arch(archs[0].clone());
        if session.plan()?.iter().any(|path| path.path.arch != archs[0]) {
            return Err(RunError::OwnPlans { strategy: config.strategy.name });
        }
        Ok(Self { session, archs, progress: SequenceProgress::default() })
    }

    /// The session that trains the architectures.
    pub fn session(&self) -> &Session<D> {
        &self.session
    }

    /// The state between two steps, or after the evaluations of an architecture.
    ///
    /// # Errors
    /// See [`Session::save`].
    pub fn save(&self) -> Result<State, RunError> {
        let mut state = self.session.save()?;
        state.put(PROGRESS_KEY, &self.progress)?;
        Ok(state)
    }

    /// This sequence, not yet run, with the state of another one of the same configuration and length.
    ///
    /// # Errors
    /// See [`Session::restore`].
    pub fn restore(mut self, state: &State) -> Result<Self, RunError> {
        self.progress = state.get(PROGRESS_KEY)?;
        self.session = self.session.restore(state)?;
        let (found, lengths) = (self.progress.columns.len(), self.progress.columns.iter().map(Vec::len));
        if found > self.archs.len() || lengths.enumerate().any(|(number, length)| length != number + 1) {
            let expected = format!("measurements of at most {} architectures", self.archs.len());
            return Err(StateError { expected, found: found.to_string() }.into());
        }
        Ok(self)
    }

    /// Trains the architectures in order. After each, evaluates all architectures trained so far. `observer` may ask
    /// for the state, see [`Observer::needs_state`].
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn run(mut self, observer: &mut dyn Observer, cancel: &AtomicBool) -> Result<SequenceResult, RunError> {
        self.session.announce(observer)?;
        for number in self.progress.columns.len()..self.archs.len() {
            let arch = self.archs[number].clone();
            self.session.force_arch(arch.clone());
            while self.progress.epochs < self.session.config().train.epochs {
                let mut with_progress = SequenceObserver { observer: &mut *observer, progress: &self.progress };
                if !self.session.train_epoch(&mut with_progress, cancel)? {
                    offer_state(observer, SavePoint::Interrupted, || self.save())?;
                    return self.result(true);
                }
                self.session.next_epoch();
                self.progress.epochs += 1;
                let epochs = number * self.session.config().train.epochs + self.progress.epochs;
                offer_state(observer, SavePoint::Epoch(epochs), || self.save())?;
            }
            if !self.evaluate(number, &arch, observer, cancel)? {
                offer_state(observer, SavePoint::Interrupted, || self.save())?;
                return self.result(true);
            }
        }
        offer_state(observer, SavePoint::Trained, || self.save())?;
        self.result(false)
    }

    /// Evaluates all architectures trained so far. Returns false if `cancel` became true first; a sequence with this
    /// state continues with the evaluation.
    fn evaluate(
        &mut self,
        number: usize,
        arch: &Arch,
        observer: &mut dyn Observer,
        cancel: &AtomicBool,
    ) -> Result<bool, RunError> {
        let supernet = self.session.supernet();
        let column = supernet.evaluate_all(&self.archs[..=number], cancel, &mut |_, _| Ok(()))?;
        let Some(column) = column else { return Ok(false) };
        for (earlier, accuracy) in column.iter().enumerate().take(number) {
            let old = self.progress.columns.last().and_then(|last| last.get(earlier)).unwrap_or(accuracy);
            let shared = supernet.shared_layers(&self.archs[earlier], [arch])?;
            let change = accuracy - old;
            self.progress.steps.push(AccuracyChange { trained: number, earlier, shared, change });
        }
        let (archs, total) = (self.texts(number + 1), self.archs.len());
        observer.observe(&Event::Trained(Trained { number, total, archs: &archs, accuracies: &column }))?;
        self.progress.columns.push(column);
        self.progress.epochs = 0;
        Ok(true)
    }

    fn texts(&self, n: usize) -> Vec<String> {
        self.archs[..n].iter().map(|arch| self.session.space().format(arch)).collect()
    }

    fn result(self, interrupted: bool) -> Result<SequenceResult, RunError> {
        let mut matrix = DisturbanceMatrix::new();
        for column in &self.progress.columns {
            matrix.push(column.clone())?;
        }
        let (config, summary) = (self.session.config(), matrix.summary());
        Ok(SequenceResult {
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
            telemetry: finite_figures(self.session.supernet().strategy().metrics()),
            steps: self.progress.steps,
        })
    }
}

/// Adds the progress of the sequence to the state that the session gives to an observer within an epoch.
struct SequenceObserver<'a> {
    observer: &'a mut dyn Observer,
    progress: &'a SequenceProgress,
}

impl Observer for SequenceObserver<'_> {
    fn observe(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.observer.observe(event)
    }

    fn needs_state(&mut self, point: SavePoint) -> bool {
        self.observer.needs_state(point)
    }

    fn receive_state(&mut self, mut state: State, point: SavePoint) -> io::Result<()> {
        state.put(PROGRESS_KEY, self.progress).map_err(io::Error::other)?;
        self.observer.receive_state(state, point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trainer::test_support;
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    fn sequence(behaviour: &str, n: usize) -> Result<SequenceResult, RunError> {
        let config = test_support::config(behaviour, |c| c.train.epochs = 2);
        let sequence = Sequence::new(&config, test_support::dataset(&config), &test_support::test_device(), n)?;
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

    fn make(behaviour: &str) -> Sequence<test_support::TestDevice> {
        let config = test_support::config(behaviour, |c| c.train.epochs = 2);
        Sequence::new(&config, test_support::dataset(&config), &test_support::test_device(), 3).unwrap()
    }

    fn run(sequence: Sequence<test_support::TestDevice>) -> SequenceResult {
        sequence.run(&mut |_: &Event<'_>| Ok(()), &AtomicBool::new(false)).unwrap()
    }

    /// Keeps the first state that is offered at a kind of point after a number of steps. If the point is an interrupt,
    /// it interrupts the sequence after these steps.
    struct KeepAfter {
        steps: usize,
        point: SavePoint,
        cancel: Arc<AtomicBool>,
        state: Option<State>,
    }

    impl KeepAfter {
        fn new(steps: usize, point: SavePoint) -> Self {
            Self { steps, point, cancel: Arc::default(), state: None }
        }
    }

    impl Observer for KeepAfter {
        fn observe(&mut self, event: &Event<'_>) -> io::Result<()> {
            if matches!(event, Event::Step(_)) {
                self.steps = self.steps.saturating_sub(1);
                let interrupts = self.point == SavePoint::Interrupted && self.steps == 0;
                self.cancel.store(interrupts, Ordering::Relaxed);
            }
            Ok(())
        }

        fn needs_state(&mut self, point: SavePoint) -> bool {
            point == self.point && self.steps == 0 && self.state.is_none()
        }

        fn receive_state(&mut self, state: State, _: SavePoint) -> io::Result<()> {
            self.state = Some(state);
            Ok(())
        }
    }

    #[test]
    fn a_sequence_continues_with_the_same_bits() {
        let whole = run(make("damp"));
        for steps in [1, 4, 8, 9, 15, 24] {
            let mut keep = KeepAfter::new(steps, SavePoint::Step);
            make("damp").run(&mut keep, &AtomicBool::new(false)).unwrap();
            let state = keep.state.unwrap();
            let second = make("damp").restore(&state).unwrap();
            assert_eq!(second.save().unwrap(), state, "{steps} steps");
            assert_eq!(run(second), whole, "{steps} steps");
        }
    }

    #[test]
    fn an_interrupted_evaluation_is_made_when_the_sequence_continues() {
        let whole = run(make(""));
        // The last steps of the three architectures.
        for (steps, evaluated) in [(8, 0), (16, 1), (24, 2)] {
            let mut keep = KeepAfter::new(steps, SavePoint::Interrupted);
            let cancel = keep.cancel.clone();
            let stopped = make("").run(&mut keep, &cancel).unwrap();
            assert!(stopped.interrupted && stopped.sequence == evaluated, "{steps} steps: {}", stopped.sequence);
            assert_eq!(run(make("").restore(&keep.state.unwrap()).unwrap()), whole, "{steps} steps");
        }
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
