//! Reproducibility: equal runs write equal files.

use super::helper::{program, read, setup, stderr, tiny};
use std::path::Path;

/// The contents of the two files without times.
fn bytes(dir: &Path, out: &str) -> [String; 2] {
    ["metrics.csv", "archs.csv"].map(|file| read(&dir.join(out), file))
}

#[test]
fn results_depend_on_the_seed_and_not_on_the_threads() {
    let (dir, _) = setup("repeat");
    let dir = dir.path();
    tiny(dir, "one", &["--seed=3", "--threads=1"]);
    tiny(dir, "two", &["--seed=3", "--threads=2"]);
    tiny(dir, "again", &["--seed=3", "--threads=2"]);
    tiny(dir, "other", &["--seed=4", "--threads=2"]);
    assert_eq!(bytes(dir, "one"), bytes(dir, "two"));
    assert_eq!(bytes(dir, "two"), bytes(dir, "again"));
    assert_ne!(bytes(dir, "two"), bytes(dir, "other"));
}

#[test]
fn a_run_of_nasbench201_is_equal_for_any_number_of_threads() {
    let (dir, _) = setup("threads");
    let run = |threads: u32| {
        let out = format!("t{threads}");
        let mut program = program(dir.path());
        program.args(["--strategy=ogd", "--width=16", "--cells=1", "--batch-size=40", "--limit-train=80"]);
        program.args(["--epochs=1", "--probes=4", "--truth-samples=8", "--set=eval.images=60", "--progress=none"]);
        let output = program.args([format!("--threads={threads}"), format!("--out={out}")]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        bytes(dir.path(), &out)
    };
    let one = run(1);
    assert!(one[0].lines().count() > 10);
    for threads in [2, 3, 16] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}

#[test]
fn probes_and_progress_do_not_change_training() {
    let (dir, _) = setup("probes");
    let training = |out: &str| -> Vec<String> {
        let text = read(&dir.path().join(out), "metrics.csv");
        text.lines().filter(|line| line.contains(",train,")).map(Into::into).collect()
    };
    tiny(dir.path(), "with", &[]);
    tiny(dir.path(), "without", &["--probes=0", "--progress=none", "--json"]);
    assert_eq!(training("with").len(), 12 + 3 * 5);
    assert_eq!(training("with"), training("without"));
}

#[test]
fn the_written_configuration_repeats_the_run() {
    let (dir, _) = setup("rerun");
    tiny(dir.path(), "first", &["--seed=5", "--set=strategy.paths=2", "--lr=0.1"]);
    let again = program(dir.path()).args(["--config=first/config.toml", "--out=second"]).output().unwrap();
    assert!(again.status.success(), "{}", stderr(&again));
    assert_eq!(bytes(dir.path(), "first"), bytes(dir.path(), "second"));
    assert_eq!(read(dir.path(), "first/config.toml"), read(dir.path(), "second/config.toml"));
}
