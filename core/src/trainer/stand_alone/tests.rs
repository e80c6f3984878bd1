//! Tests of stand-alone training.

use super::*;
use crate::config::TrainImages;
use crate::data::load;
use crate::event::{Event, Observer, SavePoint};
use crate::result::StandAloneResult;
use crate::state::State;
use crate::trainer::test_support::{TestDevice, test_device};
use std::sync::atomic::{AtomicBool, Ordering};

/// An observer that ignores every event.
fn silent() -> impl Observer {
    |_: &Event<'_>| Ok(())
}

fn trainer(space: &str, change: impl Fn(&mut RunConfig)) -> StandAloneTrainer<TestDevice> {
    let mut config = RunConfig::from_table(&toml::Table::new()).unwrap();
    config.space.name = space.into();
    config.data.limit_train = Some(200);
    config.data.limit_valid = Some(300);
    config.train.epochs = 8;
    change(&mut config);
    let dataset = load("digits", &config.data).unwrap();
    StandAloneTrainer::new(&config, Arc::new(dataset), &test_device()).unwrap()
}

fn train(trainer: &StandAloneTrainer<TestDevice>, text: &str, seed: u64) -> StandAloneResult {
    complete(trainer.start(text, seed).unwrap())
}

/// The result of a training without what differs between equal ones.
fn complete(run: StandAloneRun<TestDevice>) -> StandAloneResult {
    let result = run.run(&mut silent(), &AtomicBool::new(false)).unwrap();
    StandAloneResult { wall_s: 0.0, images_per_s: None, peak_rss_mb: None, ..result }
}

#[test]
fn an_architecture_learns_and_equal_seeds_give_equal_results() {
    // 90 steps: the initial running statistics have the weight 0.9^90 left.
    let trainer = trainer("tiny", |config| config.train.epochs = 30);
    let result = train(&trainer, "22", 0);
    // Guessing gives 10 %.
    assert!(result.last.unwrap().accuracy > 60.0 && result.train_loss.unwrap() < 1.5, "{result:?}");
    assert!(result.best.unwrap().accuracy >= result.last.unwrap().accuracy);
    assert!(result.last.unwrap().top5_accuracy > result.last.unwrap().accuracy);
    assert_eq!(train(&trainer, "22", 0), result);
    assert_ne!(train(&trainer, "22", 1), result);
}

#[test]
fn a_network_without_operations_guesses() {
    let trainer = trainer("nasbench201", |config| config.train.epochs = 1);
    let none = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|";
    let error = trainer.start(none, 0).unwrap().connected().err().unwrap();
    assert!(matches!(error, RunError::Disconnected { .. }), "{error}");
    assert!(trainer.start(&none.replace("none~0|+", "skip_connect~0|+"), 0).unwrap().connected().is_err());
    assert!(trainer.start("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|", 0).unwrap().connected().is_ok());
    let accuracy = train(&trainer, none, 0).last.unwrap().accuracy;
    assert!((8.0..12.0).contains(&accuracy), "{accuracy}");
}

#[test]
fn larger_samples_start_with_smaller_ones() {
    let trainer = trainer("nasbench201", |_| ());
    let (few, more) = (trainer.sample(TruthSamples::Some(5)).unwrap(), trainer.sample(TruthSamples::Some(9)).unwrap());
    assert_eq!(few, more[..5]);
    assert!(trainer.sample(TruthSamples::Some(0)).is_err() && trainer.sample(TruthSamples::Some(15_626)).is_err());
}

#[test]
fn a_cancelled_or_diverged_training_has_no_result() {
    let trainer = trainer("tiny", |config| config.train.lr = 1e30);
    let arch = "22";
    let cancelled = trainer.start(arch, 0).unwrap().run(&mut silent(), &AtomicBool::new(true)).unwrap();
    assert!(cancelled.interrupted && cancelled.last.is_none());
    let error = trainer.start(arch, 0).unwrap().run(&mut silent(), &AtomicBool::new(false)).unwrap_err();
    assert!(matches!(error, RunError::Diverged { .. }), "{error}");
}

/// Keeps the state after a number of steps.
struct KeepAfter {
    steps: usize,
    state: Option<State>,
}

impl Observer for KeepAfter {
    fn observe(&mut self, _: &Event<'_>) -> std::io::Result<()> {
        Ok(())
    }

    fn needs_state(&mut self, point: SavePoint) -> bool {
        self.steps = self.steps.wrapping_sub(usize::from(point == SavePoint::Step));
        point == SavePoint::Step && self.steps == 0
    }

    fn receive_state(&mut self, state: State, _: SavePoint) -> std::io::Result<()> {
        self.state = Some(state);
        Ok(())
    }
}

#[test]
fn a_training_continues_from_any_step_with_the_same_bits() {
    // Eight epochs of three steps.
    let plain = trainer("tiny", |_| ());
    let regularised = trainer("tiny", |config| {
        config.retrain.weight_average = 0.9;
        config.retrain.label_smoothing = 0.1;
        config.retrain.warmup_epochs = 2;
    });
    for trainer in [plain, regularised] {
        let arch = "22";
        let whole = complete(trainer.start(arch, 3).unwrap());
        for steps in [1, 3, 5, 24] {
            let mut keeper = KeepAfter { steps, state: None };
            trainer.start(arch, 3).unwrap().run(&mut keeper, &AtomicBool::new(false)).unwrap();
            let run = trainer.start(arch, 3).unwrap().restore(&keeper.state.unwrap()).unwrap();
            assert_eq!(complete(run), whole, "after {steps} steps");
        }
    }
}

/// Asks for a stop after the last step, before the evaluation, and keeps the state.
struct StopBeforeEvaluation<'a> {
    steps: u64,
    stop: &'a AtomicBool,
    state: Option<State>,
}

impl Observer for StopBeforeEvaluation<'_> {
    fn observe(&mut self, event: &Event<'_>) -> std::io::Result<()> {
        match event {
            Event::Step(done) if done.step + 1 == self.steps => self.stop.store(true, Ordering::Relaxed),
            Event::StandAloneEpoch(done) => assert!(done.steps < self.steps, "the evaluation went on"),
            _ => {}
        }
        Ok(())
    }

    fn needs_state(&mut self, point: SavePoint) -> bool {
        point == SavePoint::Interrupted
    }

    fn receive_state(&mut self, state: State, _: SavePoint) -> std::io::Result<()> {
        self.state = Some(state);
        Ok(())
    }
}

#[test]
fn a_stop_request_ends_an_evaluation_and_the_training_continues_with_the_same_bits() {
    let trainer = trainer("tiny", |_| ());
    let whole = complete(trainer.start("22", 3).unwrap());
    let stop = AtomicBool::new(false);
    let mut observer = StopBeforeEvaluation { steps: whole.steps, stop: &stop, state: None };
    let stopped = trainer.start("22", 3).unwrap().run(&mut observer, &stop).unwrap();
    assert!(stopped.interrupted && stopped.last.is_none());
    let run = trainer.start("22", 3).unwrap().restore(&observer.state.unwrap()).unwrap();
    assert_eq!(complete(run), whole);
}

/// Keeps the last state.
struct KeepLast(Option<State>);

impl Observer for KeepLast {
    fn observe(&mut self, _: &Event<'_>) -> std::io::Result<()> {
        Ok(())
    }

    fn needs_state(&mut self, point: SavePoint) -> bool {
        matches!(point, SavePoint::Step | SavePoint::Trained)
    }

    fn receive_state(&mut self, state: State, _: SavePoint) -> std::io::Result<()> {
        self.0 = Some(state);
        Ok(())
    }
}

/// The average of two steps with decay 0.75 is `0.75 w1 + 0.25 w2`.
#[test]
fn the_average_of_the_weights_is_that_of_its_formula() {
    let trainer = trainer("tiny", |config| {
        config.retrain.weight_average = 0.75;
        (config.train.epochs, config.train.batch_size) = (1, 100);
    });
    let arch = "22";
    let mut first = KeepAfter { steps: 1, state: None };
    trainer.start(arch, 3).unwrap().run(&mut first, &AtomicBool::new(false)).unwrap();
    let mut last = KeepLast(None);
    trainer.start(arch, 3).unwrap().run(&mut last, &AtomicBool::new(false)).unwrap();
    let (first, last) = (first.state.unwrap(), last.0.unwrap());
    for name in ["set0/stem.weight", "stem.running_var"] {
        let of = |state: &State, section: &str| state.section(section).tensors[name].values.clone();
        let (w1, w2) = (of(&first, "training/model"), of(&last, "training/model"));
        assert_ne!(w1, w2);
        for ((average, w1), w2) in of(&last, "evaluated").iter().zip(w1).zip(w2) {
            assert!((average - (0.75 * w1 + 0.25 * w2)).abs() < 1e-6, "{name}");
        }
    }
}

#[test]
fn all_images_train_the_network_only_if_there_are_test_images() {
    let images = |change: &dyn Fn(&mut RunConfig)| {
        let run = trainer("tiny", change).start("22", 0).unwrap();
        (run.size().train_images, run.size().eval.positions.len())
    };
    assert_eq!(images(&|_| ()), (200, 300));
    let mut config = RunConfig::from_table(&toml::Table::new()).unwrap();
    config.retrain.images = TrainImages::All;
    let dataset = load("digits", &config.data).unwrap();
    let error = StandAloneTrainer::new(&config, Arc::new(dataset), &test_device()).err().unwrap();
    assert!(error.to_string().contains("has no test images"), "{error}");
}

#[test]
fn the_state_of_another_training_is_refused() {
    let trainer = trainer("tiny", |_| ());
    let (arch, other) = ("22", "21");
    let state = trainer.start(arch, 3).unwrap().save().unwrap();
    for (arch, seed, problem) in [(other, 3, "arch \"21\""), (arch, 4, "seed 4")] {
        let error = trainer.start(arch, seed).unwrap().restore(&state).err().unwrap().to_string();
        assert!(error.contains(problem), "{error}");
    }
    let trainer = self::trainer("tiny", |config| config.tf32 = true);
    let error = trainer.start(arch, 3).unwrap().restore(&state).err().unwrap().to_string();
    assert!(error.contains("tf32"), "{error}");
}

/// Drop path and the auxiliary head of `darts`: training differs with each, and continues exactly.
#[test]
fn a_regularised_cell_network_continues_with_the_same_bits() {
    let small = |config: &mut RunConfig| {
        (config.space.width, config.space.cells) = (2, 3);
        (config.train.epochs, config.train.batch_size) = (2, 100);
    };
    let loss = |change: &dyn Fn(&mut RunConfig)| {
        let trainer = trainer("darts", |config| {
            small(config);
            change(config);
        });
        let whole = complete(trainer.start("darts_v1", 0).unwrap());
        let mut keeper = KeepAfter { steps: 3, state: None };
        trainer.start("darts_v1", 0).unwrap().run(&mut keeper, &AtomicBool::new(false)).unwrap();
        let run = trainer.start("darts_v1", 0).unwrap().restore(&keeper.state.unwrap()).unwrap();
        assert_eq!(complete(run), whole);
        whole.train_loss.unwrap()
    };
    let plain = loss(&|_| ());
    let dropped = loss(&|config| config.retrain.drop_path = 0.5);
    let headed = loss(&|config| config.retrain.auxiliary_weight = 0.4);
    assert!(plain != dropped && plain != headed, "{plain} {dropped} {headed}");
}

#[test]
fn published_cells_outside_of_the_space_are_trained() {
    let trainer = trainer("darts", |config| {
        (config.space.width, config.space.cells) = (2, 3);
        (config.train.epochs, config.data.limit_train) = (1, Some(64));
    });
    let result = complete(trainer.start("nasnet_a", 0).unwrap());
    assert_eq!((result.arch.as_str(), result.epochs), ("nasnet_a", 1));
    assert!(trainer.start("nasnet_b", 0).is_err());
}
