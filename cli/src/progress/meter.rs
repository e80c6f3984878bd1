//! Training speed, and an estimate of the remaining time.

use nas_core::event::{RunSize, StepDone};
use std::time::{Duration, Instant};

/// Counts steps and images of a run.
///
/// The training speed covers training steps only. The remaining time includes evaluations: it assumes that they take
/// the same share of the time as before.
#[derive(Debug, Default)]
pub struct Meter {
    size: Option<RunSize>,
    started: Option<Instant>,
    /// Time of the last event.
    last: Option<Instant>,
    /// Finished steps of the run. A resumed run does not start at 0.
    finished: u64,
    /// Steps of this process.
    steps: u64,
    images: u64,
    training: Duration,
    elapsed: Duration,
}

impl Meter {
    /// Resets the meter at the start of a run.
    pub fn start(&mut self, size: RunSize, now: Instant) {
        *self = Self { size: Some(size), started: Some(now), last: Some(now), ..Self::default() };
    }

    /// Counts a finished step; the time since the last event is training time.
    pub fn step(&mut self, done: &StepDone, now: Instant) {
        self.finished = done.step + 1;
        self.steps += 1;
        self.images += (done.images * done.paths) as u64;
        self.training += self.last.map_or(Duration::ZERO, |last| now - last);
        self.elapsed = self.started.map_or(Duration::ZERO, |started| now - started);
        self.last = Some(now);
    }

    /// Notes an event other than a step; the time since the last event is not training time.
    pub fn pause(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// Images per second of training time; an image counts once for each path that saw it.
    pub fn images_per_s(&self) -> Option<f64> {
        let seconds = self.training.as_secs_f64();
        (seconds > 0.0).then(|| self.images as f64 / seconds)
    }

    /// Estimated seconds until the last step.
    pub fn seconds_left(&self) -> Option<f64> {
        let left = self.total_steps().checked_sub(self.finished)?;
        (self.steps > 0).then(|| self.elapsed.as_secs_f64() / self.steps as f64 * left as f64)
    }

    /// Number of finished steps of the run.
    pub fn finished_steps(&self) -> u64 {
        self.finished
    }

    /// Number of steps of the whole run.
    pub fn total_steps(&self) -> u64 {
        self.size.as_ref().map_or(0, |size| size.steps)
    }

    /// The text `epoch 3/40` for an epoch counted from 0; the text counts from 1.
    pub fn epoch(&self, epoch: usize) -> String {
        format!("epoch {}/{}", epoch + 1, self.size.as_ref().map_or(0, |size| size.epochs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nas_core::event::EvalInputs;
    use nas_core::network::NetworkSpec;
    use nas_core::space::{Scale, Tiny};
    use std::sync::Arc;

    #[test]
    fn the_speed_excludes_evaluations_and_the_remaining_time_includes_them() {
        let (zero, after) = (Instant::now(), |s| Duration::from_secs(s));
        let eval =
            EvalInputs { mean: vec![0.0], std: vec![1.0], batch_size: 9, positions: (0..9).collect(), classes: vec![] };
        let scale = Scale { image: [8, 8, 1], classes: 3, width: 2, cells: 1 };
        let network = Arc::new(NetworkSpec::supernet(&Tiny::new(scale)).unwrap());
        let size = RunSize {
            epochs: 2,
            steps_per_epoch: 2,
            steps: 4,
            train_images: 16,
            eval,
            params: 1,
            archs: 3,
            network,
            scale,
        };
        let mut meter = Meter::default();
        assert_eq!((meter.images_per_s(), meter.seconds_left()), (None, None));
        let resumed = size.clone();
        meter.start(size, zero);
        let step = StepDone { step: 0, epoch: 0, loss: 1.0, images: 8, paths: 2 };
        meter.step(&step, zero + after(1));
        meter.pause(zero + after(11));
        meter.step(&StepDone { step: 1, ..step }, zero + after(12));
        assert_eq!((meter.images_per_s(), meter.seconds_left()), (Some(16.0), Some(12.0)));
        assert_eq!((meter.epoch(0), meter.total_steps()), ("epoch 1/2".into(), 4));

        // A resumed run starts with its third step.
        meter.start(resumed, zero);
        meter.step(&StepDone { step: 2, ..step }, zero + after(5));
        assert_eq!((meter.finished_steps(), meter.seconds_left()), (3, Some(5.0)));
    }
}
