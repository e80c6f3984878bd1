//! Comparisons: equal budgets, finished runs are kept, and the same bytes after an interruption.

use super::helper::{TINY, mark_unfinished, names, program, read, refuses, setup, stderr, stdout};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn arguments(options: &str) -> Vec<String> {
    let options = options.split_whitespace();
    ["compare"].into_iter().chain(TINY.iter().copied()).chain(options).map(Into::into).collect()
}

fn compare(dir: &Path, options: &str) -> Output {
    let output = program(dir).args(arguments(options)).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

/// Writes `truth.csv`, the stand-alone accuracies of the nine architectures of [`TINY`].
fn truth_table(dir: &Path) {
    let options = "truth --space=tiny --data=synthetic --set=data.synthetic.samples=200 --set=data.synthetic.size=8 \
                   --limit-train=64 --batch-size=16 --epochs=2 --samples=all --seeds=2 --out=truth.csv";
    program(dir).args(options.split_whitespace()).assert().success();
}

const THREE: &str = "--strategies plain,ogd:alpha=0.3,fairnas --seeds 2 --sequence 2 --sequence-epochs 1 --out c";

#[test]
fn a_comparison_writes_runs_figures_and_differences() {
    let (dir, _) = setup("compare");
    let dir = dir.path();
    truth_table(dir);
    let output = compare(dir, &format!("{THREE} --truth=truth.csv --truth-samples=all --json"));
    let lines: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, runs) = lines.split_last().unwrap();
    assert!(runs.len() == 6 && runs.iter().all(|run| run["type"] == "result"), "{runs:?}");
    assert_eq!(runs[2]["variant"], "ogd:alpha=0.3");
    assert_eq!((&last["type"], &last["reference"]), (&"comparison".into(), &"plain".into()));
    let fairnas = &last["strategies"][2];
    assert_eq!((&fairnas["n"], &fairnas["figures"]["subnet_passes"]["mean"]), (&2.into(), &12.0.into()));
    let difference = &fairnas["figures"]["probe_accuracy"]["difference"];
    assert!(difference["lo"].is_number() && difference["n"] == 2 && difference["verdict"] == "open", "{difference}");
    let notes = last["notes"].to_string();
    assert!(notes.contains("fairnas: no disturbance matrix"), "{notes}");
    assert!(last["seeds_note"].to_string().contains("2 seeds are too few"), "{last}");
    assert_eq!(difference["p"], 0.5);

    let mut runs = csv::Reader::from_path(dir.join("c/runs.csv")).unwrap();
    let passes = runs.headers().unwrap().iter().position(|name| name == "subnet_passes").unwrap();
    let passes: Vec<String> = runs.records().map(|row| row.unwrap()[passes].to_string()).collect();
    assert_eq!(passes, ["12"; 6]);
    let text = read(dir, "c/comparison.csv");
    for row in
        ["plain,gt_tau,,higher,2,", "(parameters),gt_tau,", "(random search of 10),predicted_best_truth,%,higher,2,"]
    {
        assert!(text.contains(row), "{row} in {text}");
    }
    assert!(!text.contains("train_s") && read(dir, "c/costs.csv").contains("plain,train_s,s,"));
    let made = names(&dir.join("c/runs"));
    assert_eq!(made[..2], ["fairnas-s0", "fairnas-s1"]);
    assert_eq!(names(&dir.join("c/sequences")).len(), 2);
}

#[test]
fn passes_are_equal_to_within_one_step_and_the_difference_is_noted() {
    let (dir, _) = setup("budget");
    // 4 epochs of 4 steps are 16 passes. fairnas trains three architectures per step, and 16 is no multiple of 3.
    let output = compare(dir.path(), "--strategies plain,fairnas --seeds 1 --epochs 4 --sequence 0 --json");
    let last: Value = serde_json::from_str(stdout(&output).lines().last().unwrap()).unwrap();
    let passes = |i: usize| last["strategies"][i]["figures"]["subnet_passes"]["mean"].as_f64().unwrap();
    assert_eq!((passes(0), passes(1)), (16.0, 15.0));
    assert_eq!(last["strategies"][1]["length"]["passes_over"], -1);
    assert!(last["notes"].to_string().contains("15 sub-net passes, 1 fewer than the budget"), "{last}");

    let steps = compare(dir.path(), "--strategies plain,fairnas --seeds 1 --budget steps --sequence 0 --out u --json");
    let last: Value = serde_json::from_str(stdout(&steps).lines().last().unwrap()).unwrap();
    assert_eq!(last["strategies"][1]["figures"]["steps"]["mean"], 12.0);
    compare(dir.path(), "--strategies plain,fairnas --seeds 1 --budget time --sequence 0 --out t");
    let times = read(dir.path(), "t/step_times.json");
    assert!(times.contains("fairnas"));
    let options = "--strategies plain,fairnas --seeds 1 --budget time --sequence 0 --out t";
    let words = ["t/step_times.json has the step time of plain with another train.lr (0.05, now 0.2)"];
    refused(dir.path(), &format!("{options} --lr 0.2"), &words);
    refused(dir.path(), &format!("{options} --lr 0.2").replace("plain,fairnas", "ogd,plain"), &words);
    assert_eq!(read(dir.path(), "t/step_times.json"), times);
    compare(dir.path(), options);
}

#[test]
fn finished_runs_are_kept_and_the_number_of_jobs_changes_no_result() {
    let (dir, _) = setup("again");
    let dir = dir.path();
    compare(dir, THREE);
    let (first, manifest) = (read(dir, "c/comparison.csv"), read(dir, "c/runs/plain-s0/manifest.json"));
    // A run with a torn result and an unfinished run are repeated, the others are kept.
    fs::write(dir.join("c/runs/plain-s1/result.json"), "{").unwrap();
    mark_unfinished(dir, "c/runs/fairnas-s0");
    let again = compare(dir, THREE);
    assert!(stderr(&again).contains("6 runs, 4 of them done"), "{}", stderr(&again));
    assert_eq!(read(dir, "c/comparison.csv"), first);
    assert_eq!(read(dir, "c/runs/plain-s0/manifest.json"), manifest);
    compare(dir, &THREE.replace("--out c", "--out d --jobs 2 --progress none"));
    assert_eq!(read(dir, "d/comparison.csv"), first);
}

#[test]
#[cfg(unix)]
fn a_killed_comparison_ends_in_the_same_bytes() {
    let (dir, _) = setup("kill");
    let options = "--strategies plain,ogd --seeds 2 --epochs 60 --sequence 2";
    let mut child = Command::new(env!("CARGO_BIN_EXE_nas-train-extended"))
        .args(arguments(&format!("{options} --out killed")))
        .current_dir(dir.path())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !dir.path().join("killed/runs/ogd-s0/metrics.csv").exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "the comparison does not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!dir.path().join("killed/comparison.csv").exists());
    let again = compare(dir.path(), &format!("{options} --out killed"));
    assert!(!stderr(&again).contains(", 0 of them done"), "{}", stderr(&again));
    compare(dir.path(), &format!("{options} --out whole"));
    assert_eq!(read(dir.path(), "killed/comparison.csv"), read(dir.path(), "whole/comparison.csv"));
}

#[test]
fn variants_that_cannot_be_compared_are_refused_before_the_first_run() {
    let (dir, _) = setup("refused");
    for (options, words) in [
        ("--strategies plain,plan", "--strategies: unknown strategy `plan`, did you mean `plain`?"),
        ("--strategies plain,plain", "--strategies has plain twice"),
        ("--strategies plain,plain:paths=1", "plain:paths=1 and plain have the same settings"),
        ("--strategies plain,", "empty entry"),
        ("--strategies plain --seeds 0", "--seeds"),
        ("--strategies plain --strategy plain", "--strategy has no effect on `compare`"),
        ("--strategies plain,ogd:alhpa=1", "unknown option `strategy.alhpa`, did you mean `alpha`?"),
        ("--strategies plain,ogd:alpha=-1", "alpha"),
        (
            "--strategies plain,plain:data.name=digits",
            "data.name must be equal in all variants, found \"synthetic\" (plain) and \"digits\" (plain:data.name=digits)",
        ),
        ("--strategies plain,ogd:truth.samples=3", "truth.samples"),
        ("--strategies plain,ogd:eval.images=20", "eval.images"),
        ("--strategies plain,plain:retrain.drop_path=0.2", "retrain.drop_path cannot be set for one variant"),
        ("--strategies plain,plain:save.weights=false", "plain:save.weights=false and plain have the same settings"),
        ("--strategies plain:strategy.name=ogd", "strategy.name cannot be set for one variant"),
        ("--strategies plain,ogd:train.epochs=2", "train.epochs follows from the budget"),
        ("--strategies plain --sequence 100", "--sequence: expected 2 to 9"),
        ("--strategies plain --sequence 1", "--sequence: expected 2 to 9"),
        (
            "--strategies plain,ogd --set-for ogd alpha=x",
            "error: variant ogd: strategy.alpha=x: strategy.alpha: expected auto",
        ),
        ("--strategies plain --set-for ogd alpha=1", "--set-for ogd: the strategy is not in --strategies"),
    ] {
        refused(dir.path(), options, &[words]);
    }
    compare(dir.path(), "--strategies plain --seeds 1 --sequence 0 --out c");
    let words = ["c/runs/plain-s0 holds a run with another train.lr (0.05, now 0.01)", "another --out"];
    refused(dir.path(), "--strategies plain --seeds 1 --sequence 0 --lr 0.01 --out c", &words);
}

#[test]
fn an_unfinished_run_is_not_removed_for_one_that_cannot_continue_it() {
    let (dir, _) = setup("unfinished");
    let dir = dir.path();
    let options = "--strategies plain --seeds 1 --sequence 0 --out c --checkpoint-every 1 --epochs 3";
    compare(dir, options);
    let (first, run) = (read(dir, "c/comparison.csv"), dir.join("c/runs/plain-s0"));
    let edit = |file: &str, from: &str, to: &str| {
        let text = read(&run, file);
        assert!(text.contains(from), "{file}: {text}");
        fs::write(run.join(file), text.replace(from, to)).unwrap();
    };
    edit("manifest.json", "\"finished\"", "\"running\"");
    fs::remove_file(run.join("result.json")).unwrap();
    let checkpoints = names(&run.join("checkpoints"));
    let other = ["c/runs/plain-s0 holds a run with another train.lr (0.05, now 0.01)", "choose another --out"];
    refused(dir, &format!("{options} --lr 0.01"), &other);
    edit("metrics.csv", ",train,loss,", ",train,lose,");
    let arguments = arguments(options);
    let output = program(dir).args(&arguments).output().unwrap();
    assert!(!output.status.success() && stderr(&output).contains("metrics.csv"), "{}", stderr(&output));
    assert_eq!(names(&run.join("checkpoints")), checkpoints);
    edit("metrics.csv", ",train,lose,", ",train,loss,");
    compare(dir, options);
    assert_eq!(read(dir, "c/comparison.csv"), first);
    assert_eq!(read(&run, "manifest.json").matches("\"resumes\": []").count(), 0);
}

/// Asserts that a comparison is refused with a message that contains `words`.
fn refused(dir: &Path, options: &str, words: &[&str]) {
    let arguments = arguments(options);
    refuses(dir, &arguments.iter().map(String::as_str).collect::<Vec<_>>(), 2, words);
}

#[test]
fn a_comparison_resumes_only_with_the_same_inputs() {
    let (dir, _) = setup("inputs");
    let dir = dir.path();
    truth_table(dir);
    let options =
        "--strategies plain --seeds 1 --sequence 2 --sequence-epochs 1 --out c --truth truth.csv --truth-samples 4";
    compare(dir, options);
    refused(dir, &options.replace("sequence 2", "sequence 3"), &["c/sequences/plain", "--sequence (2, now 3)"]);
    let whole = read(dir, "truth.csv");
    let end = whole.trim_end().rfind('\n').unwrap();
    fs::write(dir.join("truth.csv"), &whole[..=end]).unwrap();
    refused(dir, options, &["c/runs/plain-s0 holds a run with another content of the truth table"]);
    fs::write(dir.join("truth.csv"), whole).unwrap();
    let manifest = read(dir, "c/runs/plain-s0/manifest.json");
    fs::write(dir.join("c/runs/plain-s0/manifest.json"), manifest.replace("\"cpu\"", "\"cuda:0\"")).unwrap();
    refused(dir, options, &["another device (cuda:0, now cpu)"]);
    refused(dir, &options.replace("--out c", "--out c/runs/plain-s0"), &["is the directory of a run"]);
}

#[test]
fn a_run_that_lost_rows_is_repeated_and_one_of_another_schema_is_kept() {
    let (dir, _) = setup("lost");
    let dir = dir.path();
    let options = "--strategies plain --seeds 2 --sequence 0 --out c";
    compare(dir, options);
    let first = read(dir, "c/comparison.csv");
    let metrics = read(dir, "c/runs/plain-s0/metrics.csv");
    fs::write(
        dir.join("c/runs/plain-s0/metrics.csv"),
        metrics.lines().take(9).fold(String::new(), |t, l| t + l + "\n"),
    )
    .unwrap();
    let again = compare(dir, options);
    let said = stderr(&again);
    assert!(
        said.contains("c/runs/plain-s0 is repeated: metrics.csv is incomplete") && said.contains("1 of them done"),
        "{said}"
    );
    assert_eq!(read(dir, "c/comparison.csv"), first);

    let manifest = read(dir, "c/runs/plain-s1/manifest.json").replace("\"schema\": 2", "\"schema\": 1");
    fs::write(dir.join("c/runs/plain-s1/manifest.json"), &manifest).unwrap();
    let output = program(dir).args(arguments(options)).output().unwrap();
    let said = stderr(&output);
    assert!(
        !output.status.success() && said.contains("manifest.json has schema 1, this version reads schema 2"),
        "{said}"
    );
    assert!(said.contains("run it again with this version, or use version 0.1.0"), "{said}");
    assert_eq!(read(dir, "c/runs/plain-s1/manifest.json"), manifest);
}

#[test]
fn a_failed_run_is_reported_and_the_others_continue() {
    let (dir, _) = setup("fails");
    let dir = dir.path();
    let options = "--strategies plain,plain:train.lr=1e30,ogd --seeds 2 --sequence 0 --out c";
    let output = program(dir).args(arguments(options)).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("plain:train.lr=1e30 seed 1 failed") && said.contains("training diverged"), "{said}");
    let figures = read(dir, "c/comparison.csv");
    assert!(figures.contains("\nogd,probe_accuracy") && !figures.contains("1e30"), "{figures}");
    assert!(read(dir, "c/report.html").contains("plain:train.lr=1e30 with seed 0: the run failed"));
    let options = "--strategies plain:train.lr=1e30,plain --seeds 1 --sequence 0 --out d";
    let output = program(dir).args(arguments(options)).output().unwrap();
    assert!(stderr(&output).contains("error: no run of the first variant finished"), "{}", stderr(&output));
    assert_eq!((output.status.code(), names(&dir.join("d/runs")).len()), (Some(5), 2));
}

#[test]
fn the_first_seed_may_be_set_in_the_configuration() {
    let (dir, _) = setup("seed");
    compare(dir.path(), "--strategies plain --seeds 1 --sequence 0 --out c --set seed=7");
    assert_eq!(names(&dir.path().join("c/runs")), ["plain-s7"]);
}
