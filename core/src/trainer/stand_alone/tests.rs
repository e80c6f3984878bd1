//! Tests of stand-alone training.

use super::*;
use crate::data::load;
use crate::event::{Event, Moment, Observer};
use crate::state::State;
use dfdx::prelude::Cpu;
use std::sync::atomic::AtomicBool;

/// An observer that ignores every event.
fn silent() -> impl Observer {
    |_: &Event<'_>| Ok(())
}

fn trainer(space: &str, change: impl Fn(&mut RunConfig)) -> StandAloneTrainer<Cpu> {
    let mut config = RunConfig::from_table(&toml::Table::new()).unwrap();
    config.space.name = space.into();
    config.data.limit_train = Some(200);
    config.data.limit_valid = Some(300);
    config.train.epochs = 8;
    change(&mut config);
    let dataset = load("digits", &config.data).unwrap();
    StandAloneTrainer::new(&config, Arc::new(dataset), &Cpu::default()).unwrap()
}

fn train(trainer: &StandAloneTrainer<Cpu>, text: &str, seed: u64) -> StandAloneResult {
    let arch = trainer.space().parse(text).unwrap();
    trainer.start(&arch, seed).unwrap().run(&mut silent(), &AtomicBool::new(false)).unwrap().unwrap()
}

#[test]
fn an_architecture_learns_and_equal_seeds_give_equal_results() {
    // 90 steps: the initial running statistics have the weight 0.9^90 left.
    let trainer = trainer("tiny", |config| config.train.epochs = 30);
    let result = train(&trainer, "22", 0);
    // Guessing gives 10 %.
    assert!(result.accuracy > 60.0 && result.train_loss < 1.5, "{result:?}");
    assert_eq!(train(&trainer, "22", 0), result);
    assert_ne!(train(&trainer, "22", 1), result);
}

#[test]
fn a_network_without_operations_guesses() {
    let trainer = trainer("nasbench201", |config| config.train.epochs = 1);
    let none = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|";
    let accuracy = train(&trainer, none, 0).accuracy;
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
    let arch = trainer.space().nth(8);
    assert_eq!(trainer.start(&arch, 0).unwrap().run(&mut silent(), &AtomicBool::new(true)).unwrap(), None);
    let error = trainer.start(&arch, 0).unwrap().run(&mut silent(), &AtomicBool::new(false)).unwrap_err();
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

    fn wants_state(&mut self, moment: Moment) -> bool {
        self.steps = self.steps.wrapping_sub(usize::from(moment == Moment::Step));
        moment == Moment::Step && self.steps == 0
    }

    fn keep_state(&mut self, state: State, _: Moment) -> std::io::Result<()> {
        self.state = Some(state);
        Ok(())
    }
}

#[test]
fn a_training_continues_from_any_step_with_the_same_bits() {
    // Eight epochs of three steps.
    let trainer = trainer("tiny", |_| ());
    let arch = trainer.space().nth(8);
    let never = AtomicBool::new(false);
    let whole = trainer.start(&arch, 3).unwrap().run(&mut silent(), &never).unwrap();
    for steps in [1, 3, 5, 24] {
        let mut keeper = KeepAfter { steps, state: None };
        trainer.start(&arch, 3).unwrap().run(&mut keeper, &never).unwrap();
        let run = trainer.start(&arch, 3).unwrap().restore(&keeper.state.unwrap()).unwrap();
        assert_eq!(run.run(&mut silent(), &never).unwrap(), whole, "after {steps} steps");
    }
}

#[test]
fn the_state_of_another_training_is_refused() {
    let trainer = trainer("tiny", |_| ());
    let (arch, other) = (trainer.space().nth(8), trainer.space().nth(7));
    let state = trainer.start(&arch, 3).unwrap().save().unwrap();
    for (arch, seed, problem) in [(&other, 3, "arch [2,1]"), (&arch, 4, "seed 4")] {
        let error = trainer.start(arch, seed).unwrap().restore(&state).err().unwrap().to_string();
        assert!(error.contains(problem), "{error}");
    }
}
