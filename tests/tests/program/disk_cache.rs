//! Images that stay on disk: equal bytes, resuming, and files that change during a run.

use super::data_files::{put, put_classes};
use super::helper::{cut, program, read, read_json, send_signal, setup, stderr};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A run on the folder `data` with the augmentation of ImageNet.
const RUN: &[&str] = &[
    "--data=folder",
    "--data-dir=data",
    "--set=data.image_size=8",
    "--set=data.resize=crop",
    "--set=data.random_resized_crop=true",
    "--set=data.colour_jitter.hue=0.2",
    "--space=tiny",
    "--width=2",
    "--batch-size=4",
    "--probes=2",
    "--interval=1",
];

fn setup_data(name: &str) -> tempfile::TempDir {
    let (dir, _) = setup(name);
    put_classes(&dir.path().join("data/train"), 9);
    put_classes(&dir.path().join("data/val"), 3);
    put(&dir.path().join("data/test/dog/1.tiff"), 2);
    dir
}

fn run(dir: &Path, out: &str, options: &[&str]) {
    let output = program(dir).args(RUN).args(options).arg(format!("--out={out}")).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

/// Starts a run and waits until `file` in its folder `out` has this many lines.
fn start(dir: &Path, options: &[&str], file: &str, lines: usize) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nas-train-extended"));
    command.current_dir(dir).args(RUN).args(options).arg("--out=out");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while fs::read_to_string(dir.join("out").join(file)).unwrap_or_default().lines().count() < lines {
        if begun.elapsed() > Duration::from_secs(30) {
            child.kill().unwrap();
            panic!("the run has not started");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

/// Measurements and the result without times and settings of the machine, and the fingerprint of the data.
fn outcome(dir: &Path, out: &str) -> (String, String, Value, Value) {
    let out = dir.join(out);
    let json = |file| read_json(&out, file);
    let mut result = json("result.json");
    for key in ["wall_s", "train_s", "images_per_s", "peak_rss_mb", "threads"] {
        result[key] = Value::Null;
    }
    result["telemetry"].as_object_mut().unwrap().retain(|key, _| !key.starts_with("time."));
    let fingerprint = json("manifest.json")["data"]["fingerprint"].clone();
    (read(&out, "metrics.csv"), read(&out, "archs.csv"), result, fingerprint)
}

#[test]
fn images_on_disk_give_the_results_of_images_in_memory() {
    let dir = setup_data("caches");
    let dir = dir.path();
    let variants = [("memory", "1"), ("disk", "1"), ("disk", "2")];
    let [expected, others @ ..] = variants.map(|(cache, threads)| {
        let out = format!("{cache}{threads}");
        run(dir, &out, &[&format!("--set=data.cache={cache}"), "--threads", threads, "--epochs=2"]);
        outcome(dir, &out)
    });
    assert!(expected.3.as_str().is_some_and(|fingerprint| fingerprint.len() == 64), "{}", expected.3);
    for other in others {
        assert_eq!(other, expected);
    }
}

#[test]
fn a_run_on_images_on_disk_continues_with_the_same_bytes() {
    let dir = setup_data("resumed");
    let dir = dir.path();
    let options = ["--set=data.cache=disk", "--epochs=40", "--checkpoint-every=1"];
    run(dir, "whole", &options);
    run(dir, "out", &options);
    cut(dir, "out");
    let image = dir.join("data/train/cat/0.png");
    let original = fs::read(&image).unwrap();
    put(&image, 77);
    let refused = program(dir).args(["resume", "out"]).output().unwrap();
    assert!(!refused.status.success() && stderr(&refused).contains("data set (folder with"), "{}", stderr(&refused));
    fs::write(&image, original).unwrap();
    let resumed = program(dir).args(["resume", "out"]).output().unwrap();
    assert!(resumed.status.success(), "{}", stderr(&resumed));
    assert_eq!(outcome(dir, "out"), outcome(dir, "whole"));
}

#[test]
fn a_file_that_vanishes_or_changes_ends_the_run_with_its_name() {
    type Damage = fn(&Path);
    let damages: [(Damage, &str); 2] =
        [(|path| fs::remove_file(path).unwrap(), "cannot read "), (|path| put(path, 77), " has changed since")];
    for (damage, words) in damages {
        let dir = setup_data("vanished");
        let dir = dir.path();
        let child = start(dir, &["--set=data.cache=disk", "--epochs=1000000"], "metrics.csv", 20);
        damage(&dir.join("data/train/cat/0.png"));
        let output = child.wait_with_output().unwrap();
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(4), "{message}");
        assert!(message.contains(words) && message.contains("data/train/cat/0.png"), "{message}");
        assert!(!message.contains("panicked"), "{message}");
        let manifest = read_json(&dir.join("out"), "manifest.json");
        assert_eq!(manifest["status"], "failed");
    }
}

#[test]
#[cfg(unix)]
fn a_signal_ends_a_run_on_images_on_disk() {
    let dir = setup_data("signal");
    let child = start(dir.path(), &["--set=data.cache=disk", "--epochs=1000000"], "metrics.csv", 20);
    send_signal(child.id(), "-INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
}
