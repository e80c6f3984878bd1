//! Checkpoints that a run cannot continue from.

use super::helper::{TINY, mark_unfinished, names, program, read, refuses, resume, setup, stderr, tiny};
use nas_core::checkpoint::{Checkpoint, Checkpoints};
use nas_core::sha256;
use nas_core::state::State;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// A run whose strategy, controller and evaluation have tensors of their own.
const STATEFUL: &[&str] = &[
    "--checkpoint-every=1",
    "--strategy=ogd",
    "--bn=running",
    "--controller=reinforce",
    "--controller-start=0",
    "--set=controller.samples=2",
    "--set=controller.batch=2",
];

/// A run in `dir/out` that was killed before it could write its result.
fn unfinished(dir: &Path) {
    tiny(dir, "out", STATEFUL);
    mark_unfinished(dir, "out");
}

/// Changes the latest checkpoint of `dir/out`, writes the change as the latest one, and expects that `resume` refuses
/// it and leaves every file as it was.
fn refuses_change(dir: &Path, code: i32, words: &[&str], change: impl FnOnce(&mut Checkpoint)) {
    let checkpoints = Checkpoints::at(&dir.join("out/checkpoints"));
    let original = checkpoints.latest().unwrap().checkpoint.unwrap();
    let mut changed = original.clone();
    change(&mut changed);
    assert!(format!("{changed:?}") != format!("{original:?}"), "{words:?}");
    checkpoints.write(&changed).unwrap();
    refuses(dir, &["resume", "out"], code, words);
    checkpoints.write(&original).unwrap();
}

#[test]
fn checkpoints_of_other_runs_are_refused() {
    let (dir, _) = setup("other");
    let dir = dir.path();
    unfinished(dir);
    let metrics = read(dir, "out/metrics.csv");
    let words = ["out was started with another version of nas-train (0.1.0, now", "resume with the original"];
    refuses_change(dir, 2, &words, |checkpoint| drop(checkpoint.notes.insert("version".into(), "0.1.0".into())));
    let data =
        "out was started with another data set (synthetic with 200 images and the fingerprint 000, now synthetic";
    refuses_change(dir, 2, &[data], |checkpoint| checkpoint.notes["data"]["fingerprint"] = "000".into());
    for (key, other, present) in [
        ("space.name", json!("macro"), "\"tiny\""),
        ("space.width", json!(3), "0"),
        ("strategy.name", json!("fairnas"), "\"ogd\""),
        ("controller.name", json!("evolution"), "\"reinforce\""),
        ("eval.bn", json!("batch"), "\"running\""),
    ] {
        let words = format!("expected state of a run with {key} = {present}, found {other}");
        let words = ["cannot continue from the latest checkpoint in out/checkpoints (restore", &words];
        refuses_change(dir, 2, &words, |checkpoint| checkpoint.state.values["config"][key] = other);
    }
    assert_eq!(read(dir, "out/metrics.csv"), metrics);
}

#[test]
fn checkpoints_with_misfitting_tensors_are_refused() {
    let (dir, _) = setup("misfitting");
    let dir = dir.path();
    unfinished(dir);
    let start = "cannot continue from the latest checkpoint in out/checkpoints (restore";
    for (part, code) in [
        ("training/model/set0/", 2),
        ("training/model/stem.running", 2),
        ("training/optimizer/", 2),
        ("strategy/", 1),
        ("planner/controller/", 1),
    ] {
        let name = |state: &State| state.tensors.keys().find(|name| name.starts_with(part)).unwrap().clone();
        refuses_change(dir, code, &[start, "expected tensor ", ", found none"], |checkpoint| {
            checkpoint.state.tensors.remove(&name(&checkpoint.state));
        });
        refuses_change(dir, code, &[start, "expected tensor ", ", found shape ["], |checkpoint| {
            let name = name(&checkpoint.state);
            checkpoint.state.tensors.get_mut(&name).unwrap().shape.push(1);
        });
        refuses_change(dir, code, &[start, "expected finite values in tensor ", ", found NaN"], |checkpoint| {
            let name = name(&checkpoint.state);
            checkpoint.state.tensors.get_mut(&name).unwrap().values[0] = f32::NAN;
        });
    }
    resume(dir, &["out"]);
}

/// The directory of the latest checkpoint.
fn newest(dir: &Path) -> PathBuf {
    let checkpoints = dir.join("out/checkpoints");
    checkpoints.join(names(&checkpoints).last().unwrap())
}

#[test]
fn a_checkpoint_of_another_format_is_refused() {
    let (dir, _) = setup("format");
    let dir = dir.path();
    unfinished(dir);
    let place = newest(dir);
    let (text, checksums) = (read(&place, "state.json"), read(&place, "SHA256SUMS"));
    let other = text.replace("\"format\": 1", "\"format\": 2");
    let checksums = checksums.replace(&sha256::of(text.as_bytes()), &sha256::of(other.as_bytes()));
    fs::write(place.join("state.json"), &other).unwrap();
    fs::write(place.join("SHA256SUMS"), checksums).unwrap();
    let words = ["state.json has format 2", "reads format 1", "use the version that wrote it"];
    refuses(dir, &["resume", "out"], 2, &words);
    assert!(place.exists());
}

#[test]
fn checkpoints_with_flipped_bits_are_skipped() {
    for file in ["tensors.safetensors", "state.json", "SHA256SUMS"] {
        let (dir, _) = setup("flipped");
        let dir = dir.path();
        unfinished(dir);
        let path = newest(dir).join(file);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        let message = resume(dir, &["out"]);
        assert!(
            message.contains("warning: skipped a damaged checkpoint: out/checkpoints/000003/"),
            "{file}: {message}"
        );
        assert!(message.contains("out continues at step 8\n"), "{file}: {message}");
    }
}

#[test]
fn a_run_killed_before_its_configuration_is_started_again() {
    let (dir, _) = setup("early");
    let dir = dir.path();
    unfinished(dir);
    fs::remove_file(dir.join("out/config.toml")).unwrap();
    refuses(dir, &["resume", "out"], 2, &["before it wrote config.toml", "remove out and start the run again"]);
}

#[test]
fn a_run_in_progress_is_not_resumed() {
    let (dir, _) = setup("progress");
    let dir = dir.path();
    unfinished(dir);
    // Another process holds the lock of the log, as a run does.
    let log = fs::File::open(dir.join("out/log.jsonl")).unwrap();
    log.lock().unwrap();
    refuses(dir, &["resume", "out"], 2, &["out is in use by another nas-train process; wait until that"]);
    drop(log);
    resume(dir, &["out"]);
    let output = program(dir).args(TINY).arg("--out=out").output().unwrap();
    assert!(stderr(&output).contains("is not empty"), "{}", stderr(&output));
}
