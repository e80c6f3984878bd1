//! Sessions that are saved between two steps and continue in a new session.

use crate::config::{BnMode, RunConfig};
use crate::event::{Event, Observer, Phase, SavePoint};
use crate::result::RunResult;
use crate::state::State;
use crate::trainer::session::progress::SessionProgress;
use crate::trainer::test_support::TestDevice;
use crate::trainer::test_support::session;
use crate::trainer::{RunError, Session};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs a session. Records its events without times, and stops after the event number `stop` that counts as a stop:
/// a step, or a sample of the controller.
fn observe(session: &mut Session<TestDevice>, stop: usize, events: &mut Vec<String>) -> RunResult {
    let (mut stops, cancel) = (0, AtomicBool::new(false));
    let mut observer = |event: &Event<'_>| {
        let mut event = event.clone();
        if let Event::Epoch(epoch) = &mut event {
            epoch.seconds = 0.0;
        }
        let is_sample = matches!(&event, Event::Evaluating(sample) if sample.phase == Phase::Controller);
        stops += usize::from(is_sample || matches!(event, Event::Step(_)));
        cancel.store(stops == stop, Ordering::Relaxed);
        if !matches!(event, Event::Start(_) | Event::Note(_) | Event::Warning(_)) {
            events.push(format!("{event:?}"));
        }
        Ok(())
    };
    let mut result = session.run(&mut observer, &cancel).unwrap();
    (result.wall_s, result.train_s, result.images_per_s, result.peak_rss_mb) = (0.0, 0.0, None, None);
    result
}

/// The state with its JSON values read back from text, as a file holds them.
fn through_json(state: State) -> State {
    let text = serde_json::to_string(&state.values).unwrap();
    State { values: serde_json::from_str(&text).unwrap(), ..state }
}

/// The state without times.
fn timeless(session: &Session<TestDevice>) -> State {
    let mut state = session.save().unwrap();
    let progress = state.values["progress"].as_object_mut().unwrap();
    progress.retain(|key, _| !key.ends_with("_s"));
    progress["sums"].as_object_mut().unwrap().remove("seconds");
    state
}

/// Compares a run with one that stops, is saved and restored, for every other stop from `first` on.
fn check(behaviour: &str, first: usize, change: impl Fn(&mut RunConfig)) {
    let (mut events, stops) = (Vec::new(), usize::MAX);
    let mut whole = session(behaviour, &change).unwrap();
    let result = observe(&mut whole, stops, &mut events);
    let samples = events.iter().filter(|event| event.contains("phase: Controller")).count();
    for stop in (first..=12 + samples).step_by(2) {
        let mut seen = Vec::new();
        let mut stopped = session(behaviour, &change).unwrap();
        observe(&mut stopped, stop, &mut seen);
        let mut second = session(behaviour, &change).unwrap().restore(&through_json(stopped.save().unwrap())).unwrap();
        assert_eq!(timeless(&second), timeless(&stopped), "{behaviour}, stop {stop}");
        let continued = observe(&mut second, stops, &mut seen);
        assert_eq!(seen, events, "{behaviour}, stop {stop}");
        assert_eq!(continued, result, "{behaviour}, stop {stop}");
        assert_eq!(timeless(&second), timeless(&whole), "{behaviour}, stop {stop}");
    }
}

/// 12 steps in plans of 3, so that most stops lie inside a plan, and two epochs of controller training.
fn with_controller(name: &str, options: &str) -> impl Fn(&mut RunConfig) {
    move |c| {
        c.train.steps_per_arch = 3;
        c.controller.name = name.into();
        c.controller.options = options.parse().unwrap();
        c.search.start = 1;
        c.search.proposals = 3;
    }
}

const REINFORCE: &str = "samples = 4\nbatch = 3\nhidden = 4";
const EVOLUTION: &str = "samples = 5\npopulation = 3\ntournament = 2";

#[test]
fn one_path_a_step_continues_with_the_same_bits() {
    check("", 1, with_controller("reinforce", REINFORCE));
    check("", 2, with_controller("evolution", EVOLUTION));
}

#[test]
fn several_paths_a_step_continue_with_the_same_bits() {
    check("cover", 1, with_controller("reinforce", REINFORCE));
    check("private_weights", 2, with_controller("evolution", EVOLUTION));
}

#[test]
fn a_strategy_with_a_history_continues_with_the_same_bits() {
    check("damp", 1, with_controller("reinforce", REINFORCE));
    check("damp", 2, with_controller("evolution", EVOLUTION));
}

#[test]
fn running_statistics_and_measurements_of_every_step_continue_with_the_same_bits() {
    check("", 2, |c| {
        c.eval.bn = BnMode::Running;
        c.probes.single_step_every = 1;
        c.train.steps_per_arch = 1;
    });
}

#[test]
fn an_average_of_the_weights_continues_with_the_same_bits() {
    check("cover", 2, |c| {
        with_controller("reinforce", REINFORCE)(c);
        c.eval.bn = BnMode::Running;
        c.eval.weight_average = 0.8;
    });
}

/// The state in the middle of a plan and of an epoch with controller draws.
fn saved(change: impl Fn(&mut RunConfig)) -> State {
    let mut stopped = session("damp", change).unwrap();
    observe(&mut stopped, 14, &mut Vec::new());
    stopped.save().unwrap()
}

fn running(c: &mut RunConfig) {
    with_controller("reinforce", REINFORCE)(c);
    c.eval.bn = BnMode::Running;
}

#[test]
fn tensors_have_the_names_of_a_pytorch_state_dictionary() {
    let state = saved(running);
    for name in [
        "training/model/set0/stem.weight",
        "training/model/set0/layer0.conv3x3.weight",
        "training/model/set0/classifier.bias",
        "training/model/stem.running_mean",
        "training/model/stem.running_var",
        "training/optimizer/set0/stem.weight",
        "planner/controller/",
        "strategy/inputs",
    ] {
        assert!(state.tensors.keys().any(|key| key.starts_with(name)), "{name}: {:?}", state.tensors.keys());
    }
    assert_eq!(state.count("training/model/stem.num_batches_tracked").unwrap(), state.count("training/steps").unwrap());
}

fn restore(state: &State, change: impl Fn(&mut RunConfig)) -> Result<(), RunError> {
    session("damp", change).unwrap().restore(state).map(|_| ())
}

#[test]
fn a_state_with_a_missing_or_misfitting_entry_is_refused() {
    let state = saved(running);
    restore(&state, running).unwrap();
    for name in state.tensors.keys() {
        let mut missing = state.clone();
        missing.tensors.remove(name);
        assert!(restore(&missing, running).is_err(), "{name}");
        let mut longer = state.clone();
        longer.tensors.get_mut(name).unwrap().shape.push(2);
        assert!(restore(&longer, running).is_err(), "{name}");
        if name.starts_with("training/model/set0") {
            let mut infinite = state.clone();
            infinite.tensors.get_mut(name).unwrap().values[0] = f32::INFINITY;
            let message = restore(&infinite, running).unwrap_err().to_string();
            assert!(message.contains("finite values in tensor set0/") && message.ends_with("found inf"), "{message}");
        }
    }
    for name in state.values.keys() {
        let mut missing = state.clone();
        missing.values.remove(name);
        assert!(restore(&missing, running).is_err(), "{name}");
        let mut other = state.clone();
        other.values[name] = serde_json::Value::String("other".into());
        assert!(restore(&other, running).is_err(), "{name}");
    }
}

#[test]
fn a_state_of_another_configuration_is_refused_by_its_first_differing_key() {
    let state = saved(running);
    let message = |change: fn(&mut RunConfig)| {
        let both = |c: &mut RunConfig| {
            running(c);
            change(c);
        };
        restore(&state, both).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(message(|c| c.threads = 3), "");
    let expected = "saved state does not fit: expected state of a run with space.width = 8, found 4";
    assert_eq!(message(|c| c.space.width = 8), expected);
    assert!(message(|c| c.space.name = "macro".into()).contains("space.name = \"macro\", found \"tiny\""));
    assert!(message(|c| c.seed = 1).contains("seed = 1, found 0"));
    assert!(message(|c| c.train.epochs = 9).contains("train.epochs = 9, found 3"));
    assert!(message(|c| c.controller.options = "samples = 4".parse().unwrap()).contains("controller.batch = none"));
}

/// Keeps the state after each step.
struct EachStep(Vec<State>);

impl Observer for EachStep {
    fn observe(&mut self, _: &Event<'_>) -> io::Result<()> {
        Ok(())
    }

    fn needs_state(&mut self, point: SavePoint) -> bool {
        point == SavePoint::Step
    }

    fn receive_state(&mut self, state: State, _: SavePoint) -> io::Result<()> {
        self.0.push(state);
        Ok(())
    }
}

#[test]
fn saved_state_has_the_time_until_then() {
    let mut observer = EachStep(Vec::new());
    session("", |_| ()).unwrap().run(&mut observer, &AtomicBool::new(false)).unwrap();
    let mut before = 0.0;
    for state in &observer.0 {
        let progress: SessionProgress = state.get("progress").unwrap();
        assert!(progress.train_s > before && progress.wall_s >= progress.train_s, "{progress:?}");
        assert!(progress.sums.seconds > 0.0, "{progress:?}");
        before = progress.train_s;
    }
    assert!(observer.0.len() > 1);
}
