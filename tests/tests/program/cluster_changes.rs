//! Runs on a cluster whose command, plan or directory changes.

use crate::cluster::{COMPARE, SLURM, compare, fake_slurm, on_slurm};
use crate::helper::{TINY, cut, names, program, read, setup, stderr, stdout};
use std::fs;
use std::path::Path;
use std::process::Output;

/// A program on a cluster whose tasks stay in the queue.
struct Held<'a> {
    dir: &'a Path,
    path: String,
}

impl<'a> Held<'a> {
    fn new(dir: &'a Path) -> Self {
        let path = fake_slurm(dir);
        fs::write(dir.join("bin/hold"), "").unwrap();
        Self { dir, path }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        on_slurm(self.dir, &self.path).args(arguments).output().unwrap()
    }

    fn compare(&self, options: &[&str]) -> Output {
        self.run(&[COMPARE, TINY, &["--out=there"], SLURM, options].concat())
    }

    fn status(&self) -> String {
        stdout(&self.run(&["cluster", "status", "there"]))
    }

    fn release(&self) {
        fs::remove_file(self.dir.join("bin/hold")).unwrap();
    }
}

#[test]
fn a_truth_table_with_other_settings_does_not_take_old_rows() {
    let (dir, _) = setup("cluster-settings");
    let path = fake_slurm(dir.path());
    let truth = ["truth", "--samples=3", "--space=tiny", "--data=synthetic", "--limit-train=32"];
    let table = |options: &[&str]| {
        let output = on_slurm(dir.path(), &path).args(truth).args(options).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    };
    table(&["--epochs=2", "--out=local.csv"]);
    let there = |epochs: &str| table(&[&[epochs, "--out=there.csv"], SLURM].concat());
    there("--epochs=1");
    for file in ["there.csv", "there.toml"] {
        fs::remove_file(dir.path().join(file)).unwrap();
    }
    there("--epochs=2");
    assert_eq!(read(dir.path(), "there.csv"), read(dir.path(), "local.csv"));
}

#[test]
fn a_waiting_command_does_not_undo_a_cancellation() {
    let (dir, _) = setup("cluster-cancel-failed");
    let held = Held::new(dir.path());
    assert!(held.compare(&["--detach"]).status.success());
    let attempt = dir.path().join("there/attempts/runs/ogd-s0/n1");
    fs::create_dir_all(&attempt).unwrap();
    fs::write(attempt.join("failure.json"), r#"{"code": 1, "message": "the disk is full", "host": "n1"}"#).unwrap();
    assert!(held.run(&["cluster", "cancel", "there"]).status.success());
    assert!(held.status().starts_with("0 of 6 runs done, 1 failed, 5 stopped"), "{}", held.status());
    let calls = read(dir.path(), "bin/calls");
    assert!(!held.compare(&[]).status.success());
    assert_eq!(read(dir.path(), "bin/calls"), calls);
}

#[test]
fn a_submission_after_a_refused_and_cancelled_one_is_not_cancelled() {
    let (dir, _) = setup("cluster-refused-round");
    let held = Held::new(dir.path());
    fs::write(dir.path().join("bin/refuse"), "").unwrap();
    let refused = held.compare(&["--detach"]);
    assert!(stderr(&refused).contains("invalid partition"), "{}", stderr(&refused));
    assert!(held.run(&["cluster", "cancel", "there"]).status.success());
    fs::remove_file(dir.path().join("bin/refuse")).unwrap();
    assert!(held.compare(&["--detach"]).status.success());
    assert!(held.status().starts_with("0 of 6 runs done, 6 pending"), "{}", held.status());
    let here = compare(dir.path(), "there", &[]);
    assert!(stderr(&here).contains("has runs on a cluster that are not finished"), "{}", stderr(&here));
}

#[test]
fn a_refused_command_leaves_the_plan_as_it_is() {
    let (dir, _) = setup("cluster-other-settings");
    let held = Held::new(dir.path());
    held.release();
    assert!(held.compare(&[]).status.success());
    let plan = read(dir.path(), "there/plan.jsonl");
    let other = held.compare(&["--lr=0.011"]);
    assert!(stderr(&other).contains("another train.lr"), "{}", stderr(&other));
    assert_eq!(read(dir.path(), "there/plan.jsonl"), plan);
    assert!(names(&dir.path().join("there")).iter().all(|name| !name.starts_with("plan-")));
}

#[test]
fn retry_continues_a_run_that_this_machine_has_left_after_the_cancellation() {
    let (dir, _) = setup("cluster-retry-adopts");
    let held = Held::new(dir.path());
    assert!(compare(dir.path(), "local", &["--checkpoint-every=1"]).status.success());
    assert!(held.compare(&["--detach", "--checkpoint-every=1"]).status.success());
    assert!(held.run(&["cluster", "cancel", "there"]).status.success());
    let here = compare(dir.path(), "there", &["--checkpoint-every=1"]);
    assert!(here.status.success(), "{}", stderr(&here));
    cut(dir.path(), "there/runs/ogd-s0");
    held.release();
    let retried = stdout(&held.run(&["cluster", "retry", "there"]));
    assert!(retried.contains("1 run is submitted again"), "{retried}");
    assert!(held.run(&["cluster", "merge", "there"]).status.success());
    assert_eq!(read(dir.path(), "there/comparison.csv"), read(dir.path(), "local/comparison.csv"));
}

#[test]
fn a_run_that_this_machine_makes_is_not_handed_over() {
    let (dir, _) = setup("cluster-live");
    assert!(compare(dir.path(), "there", &["--checkpoint-every=1"]).status.success());
    cut(dir.path(), "there/runs/ogd-s0");
    let log = fs::OpenOptions::new().append(true).open(dir.path().join("there/runs/ogd-s0/log.jsonl")).unwrap();
    log.lock().unwrap();
    let output =
        program(dir.path()).args(COMPARE).args(TINY).args(["--out=there", "--cluster=script"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("in use"), "{}", stderr(&output));
    assert!(dir.path().join("there/runs/ogd-s0").exists());
}
