//! A program that keeps checkpoints of a run and continues from them, as any crate that depends on `nas-core` can.

#![allow(clippy::unwrap_used)] // A panic is a failed test.

use dfdx::tensor::Cpu;
use nas_core::checkpoint::{Checkpoint, Checkpoints};
use nas_core::config::RunConfig;
use nas_core::data::load;
use nas_core::event::{Event, Observer, SavePoint};
use nas_core::result::RunResult;
use nas_core::state::State;
use nas_core::trainer::Session;
// Registers the strategies.
use nas_strategies as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Keeps the state after every epoch, and stops the run after `stop` epochs.
struct Keeper<'a> {
    checkpoints: Checkpoints,
    cancel: &'a AtomicBool,
    stop: usize,
}

impl Observer for Keeper<'_> {
    fn observe(&mut self, _: &Event<'_>) -> io::Result<()> {
        Ok(())
    }

    fn needs_state(&mut self, point: SavePoint) -> bool {
        self.cancel.store(point == SavePoint::Epoch(self.stop), Ordering::Relaxed);
        matches!(point, SavePoint::Epoch(_))
    }

    fn receive_state(&mut self, state: State, _: SavePoint) -> io::Result<()> {
        let checkpoint = Checkpoint { state, notes: serde_json::Map::new() };
        self.checkpoints.write(&checkpoint).map(drop).map_err(io::Error::other)
    }
}

/// The figures of a result that do not depend on time.
fn figures(result: &RunResult) -> String {
    format!("{:?} {:?} {:?} {:?}", result.steps, result.train_loss, result.probes, result.selected)
}

/// Runs whole, and stopped after two epochs and continued; the figures must be equal.
fn check(name: &str, options: &str) {
    let text = format!(
        "{options}\n[data]\nname = 'synthetic'\nsynthetic.samples = 200\nsynthetic.size = 8\nlimit_train = 64\n\
         [train]\nepochs = 3\nbatch_size = 16\n[probes]\ncount = 3\ninterval = 1\nsingle_step_every = 2\n"
    );
    let config = RunConfig::from_table(&text.parse().unwrap()).unwrap();
    let dataset = Arc::new(load(&config.data.name, &config.data).unwrap());
    let session = || Session::new(&config, dataset.clone(), &Cpu::default()).unwrap();
    let never = AtomicBool::new(false);
    let whole = session().run(&mut |_: &Event<'_>| Ok(()), &never).unwrap();

    let dir = tempfile::tempdir().unwrap();
    let (checkpoints, cancel) = (Checkpoints::at(dir.path()), AtomicBool::new(false));
    let mut keeper = Keeper { checkpoints: checkpoints.clone(), cancel: &cancel, stop: 2 };
    assert!(session().run(&mut keeper, &cancel).unwrap().interrupted);

    let state = checkpoints.latest().unwrap().checkpoint.unwrap().state;
    let rest = session().restore(&state).unwrap().run(&mut |_: &Event<'_>| Ok(()), &never).unwrap();
    assert_eq!(figures(&rest), figures(&whole), "{name}");
}

#[test]
fn every_strategy_continues_in_another_session() {
    for strategy in
        ["name = 'plain'", "name = 'fairnas'", "name = 'ogd'\nmemory = 'previous'", "name = 'ogd'\nmemory = 'all'"]
    {
        check(strategy, &format!("[space]\nname = 'tiny'\n[strategy]\n{strategy}"));
    }
}

#[test]
fn every_space_and_controller_continues_with_running_statistics() {
    let controllers =
        ["uniform'", "reinforce'\nsamples = 4\nbatch = 2", "evolution'\nsamples = 4\npopulation = 3\ntournament = 2"];
    for (space, controller) in ["tiny", "nasbench201", "macro"].into_iter().zip(controllers) {
        let options = format!(
            "[space]\nname = '{space}'\nwidth = 2\ncells = 1\n[eval]\nbn = 'running'\nimages = 20\n\
             [search]\nstart = 1\n[truth]\nsamples = 0\n[controller]\nname = '{controller}"
        );
        check(space, &options);
    }
}
