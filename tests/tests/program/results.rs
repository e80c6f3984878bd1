//! The output and the files of a run.

use super::helper::{TINY, names, program, read, read_json, setup, stderr, stdout, tiny};
use serde_json::Value;

const FILES: [&str; 9] = [
    "archs.csv",
    "checkpoints",
    "config.toml",
    "log.jsonl",
    "manifest.json",
    "metrics.csv",
    "result.json",
    "timings.csv",
    "weights.safetensors",
];

/// Keys of `result.json` that scripts may rely on.
const KEYS: &[&str] = &[
    "/type",
    "/schema",
    "/strategy",
    "/controller",
    "/space",
    "/data",
    "/seed",
    "/device",
    "/threads",
    "/epochs",
    "/steps",
    "/subnet_passes",
    "/images",
    "/wall_s",
    "/train_s",
    "/images_per_s",
    "/peak_rss_mb",
    "/selected/arch",
    "/selected/valid_accuracy",
    "/selected/params",
    "/selected/macs",
    "/selected/truth",
    "/train_loss",
    "/probes/n",
    "/probes/mean_accuracy",
    "/probes/disturbance/interval",
    "/probes/disturbance/mean",
    "/probes/disturbance/second_half",
    "/probes/rank_stability/interval",
    "/probes/rank_stability/mean",
    "/probes/single_step_disturbance/accuracy",
    "/probes/single_step_disturbance/loss",
    "/truth/table",
    "/truth/sha256",
    "/truth/n",
    "/truth/gt_tau",
    "/truth/gt_tau_lo",
    "/truth/gt_tau_hi",
    "/truth/spearman",
    "/truth/gt_tau_top10",
    "/truth/gt_tau_top50",
    "/truth/precision_at_5",
    "/truth/predicted_best",
    "/truth/regret",
    "/truth/baselines/params",
    "/truth/baselines/macs",
    "/fairness/min",
    "/fairness/max",
    "/fairness/mean",
    "/telemetry",
];

#[test]
fn the_files_of_a_run_agree_with_its_printed_result() {
    let (dir, _) = setup("files");
    let output = tiny(dir.path(), "a/b", &["--json", "--controller=last", "--controller-start=1"]);
    assert_eq!(names(dir.path()), ["a"]);
    let out = dir.path().join("a/b");
    assert_eq!(names(&out), FILES);

    let printed: Value = serde_json::from_str(stdout(&output).lines().last().unwrap()).unwrap();
    let written = read_json(&out, "result.json");
    assert_eq!(printed, written);
    assert_eq!(
        (&printed["steps"], &printed["epochs"], &printed["selected"]["arch"]),
        (&12.into(), &3.into(), &"22".into())
    );

    let manifest = read_json(&out, "manifest.json");
    assert_eq!((&manifest["status"], &manifest["error"]), (&"finished".into(), &Value::Null));
    for key in ["schema", "version", "git", "rustc", "argv", "host", "device", "threads", "seed", "started", "ended"] {
        assert!(manifest.get(key).is_some(), "{key} in {manifest}");
    }
    for line in read(&out, "log.jsonl").lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        assert!(entry["message"].is_string() && entry["level"].is_string());
    }
}

#[test]
fn metrics_have_one_value_a_row_and_evaluations_have_a_purpose() {
    let (dir, _) = setup("metrics");
    tiny(dir.path(), "out", &["--controller=last", "--controller-start=1"]);
    let out = dir.path().join("out");
    let mut metrics = csv::Reader::from_path(out.join("metrics.csv")).unwrap();
    assert_eq!(metrics.headers().unwrap(), vec!["step", "epoch", "split", "metric", "value"]);
    let rows: Vec<(u64, usize, String, String, f64)> = metrics.deserialize().map(Result::unwrap).collect();
    let count = |split: &str, metric: &str| rows.iter().filter(|row| row.2 == split && row.3 == metric).count();
    for (split, metric, expected) in [
        ("train", "loss", 12),
        ("train", "mean_loss", 3),
        ("train", "lr", 3),
        ("probe", "mean_accuracy", 3),
        ("probe", "disturbance_1", 2),
        ("controller", "reward", 2),
        ("controller", "latest", 2),
    ] {
        assert_eq!(count(split, metric), expected, "{split} {metric}");
    }
    assert!(rows.is_sorted_by_key(|row| (row.0, row.1)));

    let mut archs = csv::Reader::from_path(out.join("archs.csv")).unwrap();
    assert_eq!(archs.headers().unwrap(), vec!["step", "epoch", "purpose", "arch", "accuracy", "truth", "params"]);
    let purposes: Vec<String> = archs.records().map(|row| row.unwrap()[2].to_string()).collect();
    assert_eq!(purposes.iter().filter(|purpose| *purpose == "probe").count(), 12);
    assert_eq!(purposes.iter().filter(|purpose| *purpose == "proposal").count(), 1);
    // Two rows per epoch: seconds and images per second.
    assert_eq!(csv::Reader::from_path(out.join("timings.csv")).unwrap().records().count(), 6);
}

#[test]
fn the_result_has_every_key_and_null_where_a_value_does_not_apply() {
    let (dir, mut command) = setup("truth");
    let options = "--data digits --width 4 --limit-train 32 --batch-size 16 --set eval.images=40 --epochs 3 --interval \
                   1 --probes 3 --truth-samples 40 --json --set probes.single_step_every=1";
    let output = command.args(options.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
    for key in KEYS {
        assert!(result.pointer(key).is_some(), "{key} is missing in {result}");
    }
    assert_eq!(result["truth"]["n"], 40);

    let output = tiny(dir.path(), "none", &["--json", "--probes=0"]);
    let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
    for key in ["probes", "truth"] {
        assert_eq!(result.get(key), Some(&Value::Null));
    }
}

#[test]
fn the_summary_shows_the_figures_and_the_run_directory() {
    let (dir, mut command) = setup("tables");
    let options = "--data digits --width 2 --limit-train 16 --batch-size 8 --set eval.images=20 --epochs 1 --probes 2 \
                   --truth-samples 5 --truth cifar10_test --out out";
    let output = command.args(options.split_whitespace()).output().unwrap();
    let text = stdout(&output);
    for part in [
        "Selected architecture",
        "Probe architectures",
        "GT-tau",
        "Note: the table was measured on cifar10, this run used digits.",
        "sub-net passes per choice",
        "images/s",
        "All files are in out",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
    assert_eq!(names(dir.path()), ["out"]);
}

#[test]
fn progress_goes_to_stderr_unless_turned_off() {
    let (dir, _) = setup("progress");
    let plain = stderr(&tiny(dir.path(), "plain", &[]));
    assert!(plain.contains("9 architectures") && plain.contains("epoch 3/3, step 12/12: loss"), "{plain}");
    assert!(!plain.contains('\u{1b}'), "{plain}");
    assert_eq!(stderr(&tiny(dir.path(), "none", &["--progress=none"])), "");
}

#[test]
fn every_run_without_out_gets_a_new_directory() {
    let (dir, _) = setup("fresh");
    for _ in 0..2 {
        let run = program(dir.path()).args(TINY).args(["--epochs=1", "--seed=7"]).output().unwrap();
        assert!(run.status.success(), "{}", stderr(&run));
    }
    let runs = names(&dir.path().join("runs"));
    assert!(runs.len() == 2 && runs.iter().all(|run| run.contains("-plain-tiny-s7")), "{runs:?}");
}
