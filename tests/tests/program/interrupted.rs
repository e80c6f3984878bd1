//! Runs that are stopped at any step end with the bytes of a run that was never stopped.
//!
//! `stop.c` stops a run at an exact checkpoint. The runs write a checkpoint after each step and each epoch, so the
//! number of the checkpoint determines the step. `PROPTEST_CASES` sets the number of cases of each strategy,
//! `PROPTEST_RNG_SEED` draws others.
#![cfg(target_os = "linux")]

use super::helper::{compile, example, names, outcome, program, read, read_json, refuses, resume, setup, stderr};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

/// Three epochs of three steps. Plans of two steps begin and end inside an epoch.
const SMALL: &[&str] = &[
    "--data=synthetic",
    "--set=data.synthetic.samples=60",
    "--set=data.synthetic.size=8",
    "--limit-train=24",
    "--batch-size=8",
    "--set=eval.images=8",
    "--epochs=3",
    "--steps-per-arch=2",
    "--width=2",
    "--cells=1",
    "--probes=2",
    "--interval=1",
    "--set=probes.single_step_every=2",
    "--controller-start=1",
];
const EPOCHS: usize = 3;
const STEPS: usize = 3;
/// Checkpoints per epoch: one after each step, and one at its end.
const CHECKPOINTS_PER_EPOCH: usize = STEPS + 1;

const SPACES: &[&str] = &["--space=tiny", "--space=nasbench201", "--space=macro"];
const CONTROLLERS: &[&[&str]] = &[
    &["--controller=uniform"],
    &["--controller=reinforce", "--set=controller.samples=2", "--set=controller.batch=2"],
    &[
        "--controller=evolution",
        "--set=controller.samples=2",
        "--set=controller.population=2",
        "--set=controller.tournament=2",
    ],
];

/// The manner in which a run ends before its time.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stop {
    /// Killed while it writes a checkpoint.
    KillBeforeRename,
    /// Killed after a checkpoint.
    KillAfterRename,
    /// No space for a checkpoint, and terminated after the step.
    FullThenTerminate,
    /// No space for a checkpoint and all later ones.
    FullFromHere,
}

/// A run that is stopped and continued.
#[derive(Debug, Clone)]
struct Case {
    options: Vec<String>,
    /// Number of threads before and after the stop.
    threads: (usize, usize),
    stop: Stop,
    /// Number of the checkpoint, from 1.
    checkpoint: usize,
}

impl Case {
    /// The step from which the run continues.
    fn step(&self) -> usize {
        let last = self.checkpoint - usize::from(self.stop == Stop::KillBeforeRename);
        last / CHECKPOINTS_PER_EPOCH * STEPS + last % CHECKPOINTS_PER_EPOCH
    }

    fn run(&self, dir: &Path, options: &[&str], stop: Option<(&Path, Stop)>) -> Output {
        let mut command = program(dir);
        command.args(SMALL).args(&self.options).arg(format!("--threads={}", self.threads.0)).args(options);
        if let Some((library, stop)) = stop {
            let stop = format!("{stop:?}").to_lowercase();
            command.env("LD_PRELOAD", library).env("STOP_AT", self.checkpoint.to_string()).env("STOP", stop);
        }
        command.output().unwrap()
    }

    /// Runs whole into `whole`, and stopped and continued into `out`. Returns both outcomes.
    fn outcomes(&self, dir: &Path, stopper: &Path) -> [(Vec<Vec<u8>>, Value); 2] {
        let whole = self.run(dir, &["--out=whole", "--checkpoint-every=none"], None);
        assert!(whole.status.success(), "{}", stderr(&whole));

        let options = ["--out=out", "--checkpoint-every=0.000001m"];
        let output = self.run(dir, &options, Some((stopper, self.stop)));
        let message = stderr(&output);
        let full = self.stop == Stop::FullThenTerminate;
        assert_eq!(output.status.code(), full.then_some(130), "{message}");
        assert_eq!(message.contains("warning: no checkpoint at step"), full, "{message}");

        let message = resume(dir, &["out", &format!("--threads={}", self.threads.1)]);
        let expected = match self.step() {
            0 => "out has no undamaged checkpoint, so the run starts again".to_owned(),
            step => format!("out continues at step {step}\n"),
        };
        assert!(message.contains(&expected), "{expected} in {message}");
        ["whole", "out"].map(|out| {
            let (files, mut result) = outcome(&dir.join(out));
            result["threads"] = Value::Null;
            (files, result)
        })
    }
}

/// The library of `stop.c`.
fn stopper(dir: &Path) -> PathBuf {
    compile(&here("tests/program/stop.c"), &dir.join("stop.so"), &["-ldl"])
}

/// The plugin `c-fade`, compiled with further options.
fn fade(dir: &Path, name: &str, flags: &[&str]) -> PathBuf {
    compile(&here("../plugins/examples/c-fade/fade.c"), &dir.join(name), flags)
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Checks random runs with a strategy.
fn check(strategy: &[&str]) {
    let (dir, _) = setup("stopper");
    let library = stopper(dir.path());
    let default = Config::default();
    let mut runner = TestRunner::new(Config {
        cases: if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { 4 },
        rng_seed: if default.rng_seed == RngSeed::Random { RngSeed::Fixed(8) } else { default.rng_seed },
        failure_persistence: None,
        max_shrink_iters: 8,
        ..default
    });
    let cases = (
        select(SPACES),
        select(CONTROLLERS),
        select(&["--bn=batch", "--bn=running"][..]),
        (1..=2_usize, 1..=2_usize),
        select(&[Stop::KillBeforeRename, Stop::KillAfterRename, Stop::FullThenTerminate][..]),
        1..=EPOCHS * CHECKPOINTS_PER_EPOCH,
    );
    let check = |(space, controller, bn, threads, stop, checkpoint): (&str, &[&str], &str, _, _, _)| {
        let options = strategy.iter().chain(controller).chain([&space, &bn]).map(|option| (*option).into()).collect();
        let case = Case { options, threads, stop, checkpoint };
        let (dir, _) = setup("stopped");
        let [whole, resumed] = case.outcomes(dir.path(), &library);
        prop_assert!(whole.0 == resumed.0, "other files: {:?}", case);
        prop_assert_eq!(whole.1, resumed.1, "other result: {:?}", case);
        Ok(())
    };
    runner.run(&cases, check).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn plain_continues_from_any_step() {
    check(&["--strategy=plain"]);
}

#[test]
fn ogd_with_the_previous_memory_continues_from_any_step() {
    check(&["--strategy=ogd", "--set=strategy.memory='previous'"]);
}

#[test]
fn ogd_with_the_whole_memory_continues_from_any_step() {
    check(&["--strategy=ogd", "--set=strategy.memory='all'"]);
}

#[test]
fn fairnas_continues_from_any_step() {
    check(&["--strategy=fairnas"]);
}

#[test]
fn a_rust_plugin_with_state_continues_from_any_step() {
    let plugin = format!("--plugin={}", example("nas_example_ogd").display());
    check(&[&plugin, "--strategy=plugin-ogd"]);
}

#[test]
fn a_c_plugin_with_state_continues_from_any_step() {
    let (dir, _) = setup("fade");
    let plugin = format!("--plugin={}", fade(dir.path(), "fade.so", &[]).display());
    check(&[&plugin, "--strategy=fade", "--set=strategy.rate=0.5"]);
}

/// The other tests of this file would notice state that is not saved.
#[test]
fn a_plugin_that_forgets_its_state_changes_the_run() {
    let (dir, _) = setup("forgetful");
    let dir = dir.path();
    let source = fs::read_to_string(here("../plugins/examples/c-fade/fade.c")).unwrap();
    let forgetful = source.replace("    .save = save,\n    .load = load,\n", "");
    assert_ne!(source, forgetful);
    fs::write(dir.join("forgetful.c"), forgetful).unwrap();
    let plugin = compile(&dir.join("forgetful.c"), &dir.join("forgetful.so"), &[]);
    let plugin = format!("--plugin={}", plugin.display());
    let options = [&plugin, "--strategy=fade", "--set=strategy.rate=0.5", "--space=tiny"].map(String::from).into();
    let case = Case { options, threads: (1, 1), stop: Stop::KillAfterRename, checkpoint: 5 };
    let [whole, resumed] = case.outcomes(dir, &stopper(dir));
    assert!(whole.0 != resumed.0);
}

#[test]
fn a_run_on_a_full_disk_keeps_its_last_checkpoint_and_ends() {
    let (dir, _) = setup("deny");
    let dir = dir.path();
    let case = Case { options: vec!["--space=tiny".into()], threads: (1, 1), stop: Stop::FullFromHere, checkpoint: 6 };
    case.run(dir, &["--out=whole", "--checkpoint-every=none"], None);
    let output =
        case.run(dir, &["--out=out", "--checkpoint-every=0.000001m"], Some((&stopper(dir), Stop::FullFromHere)));
    let message = stderr(&output);
    assert!(output.status.success(), "{message}");
    let warning = "warning: no checkpoint at step 5: cannot write out/checkpoints/000006: No space left on device";
    assert!(message.contains(warning), "{message}");
    assert!(read(dir, "out/log.jsonl").contains("no checkpoint at step 5"));
    assert_eq!(names(&dir.join("out/checkpoints")), ["000004", "000005"]);
    assert!(outcome(&dir.join("whole")) == outcome(&dir.join("out")));
}

#[test]
fn another_build_of_a_plugin_is_refused() {
    let (dir, _) = setup("build");
    let dir = dir.path();
    let plugin = fade(dir, "fade.so", &["-O0"]);
    let option = format!("--plugin={}", plugin.display());
    let options = [&option, "--strategy=fade", "--space=tiny"].map(String::from).into();
    let case = Case { options, threads: (1, 1), stop: Stop::KillAfterRename, checkpoint: 5 };
    case.run(dir, &["--out=out", "--checkpoint-every=0.000001m"], Some((&stopper(dir), Stop::KillAfterRename)));
    let manifest = read_json(dir, "out/manifest.json");
    let sha256 = manifest["plugins"][0]["sha256"].as_str().unwrap();
    fs::remove_file(&plugin).unwrap();
    fade(dir, "fade.so", &["-O2"]);
    let now = nas_core::sha256::of(&fs::read(&plugin).unwrap());
    let words =
        ["another build of the plugin with the strategy fade", sha256, &now, "fade.so", "resume with the original"];
    refuses(dir, &["resume", "out"], 2, &words);
}
