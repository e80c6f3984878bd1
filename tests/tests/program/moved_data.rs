//! Runs whose data are in another folder than at their start, or are other data.

use super::data_files::{FOLDER, put, put_classes, run};
use super::helper::{cut, program, read, refuses, setup, stderr, stdout};
use std::fs;
use std::path::Path;

/// Options of a stand-alone training on a folder, without the folder.
const RETRAIN: &[&str] = &[
    "retrain",
    "--arch=12",
    "--data=folder",
    "--set=data.image_size=8",
    "--space=tiny",
    "--width=2",
    "--epochs=1",
    "--batch-size=4",
    "--out=net",
];

/// Writes a data set with 9 training and 3 validation images of each of two classes.
fn put_data(dir: &Path) {
    put_classes(&dir.join("train"), 9);
    put_classes(&dir.join("val"), 3);
}

#[test]
fn the_data_of_a_run_may_move() {
    let (dir, _) = setup("moved");
    let dir = dir.path();
    put_data(&dir.join("data"));
    run(dir);
    fs::rename(dir.join("data"), dir.join("elsewhere")).unwrap();
    let commands: [&[&str]; 4] = [
        &["evaluate", "out", "--arch=00"],
        &["search", "out", "--budget=2"],
        &["export", "out", "--arch=11", "--onnx=net.onnx"],
        &["resume", "out", "--epochs=2"],
    ];
    for command in commands {
        refuses(dir, command, 4, &["cannot find the folder ", "/data: correct --data-dir"]);
        let there = program(dir).args(command).arg("--data-dir=elsewhere").output().unwrap();
        assert!(there.status.success(), "{command:?}: {}", stderr(&there));
    }
    assert!(read(dir, "out/config.toml").contains("/elsewhere\"\n"), "the resumed run names the new folder");
    put(&dir.join("elsewhere/train/cat/100.png"), 7);
    let other = ["evaluate", "out", "--arch=00", "--data-dir=elsewhere"];
    refuses(dir, &other, 2, &["out was trained on folder with 24 images", "use the original data"]);
}

#[test]
fn a_run_without_a_checkpoint_is_not_replaced_by_one_on_other_data() {
    let (dir, _) = setup("other-data");
    let dir = dir.path();
    put_data(&dir.join("data"));
    put_data(&dir.join("other"));
    put(&dir.join("other/train/cat/100.png"), 7);
    let output = program(dir).args(FOLDER).args(["--out=out", "--checkpoint-every=none"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let before = read(dir, "out/manifest.json");
    let other = ["resume", "out", "--epochs=2", "--data-dir=other"];
    refuses(
        dir,
        &other,
        2,
        &["out was started with another data set (folder with 24 images", "resume with the original"],
    );
    assert_eq!(read(dir, "out/manifest.json"), before);
    assert!(dir.join("out/weights.safetensors").exists());
}

#[test]
fn trainings_with_several_seeds_use_the_same_data() {
    let (dir, _) = setup("seeds-data");
    let dir = dir.path();
    let retrain = |options: &[&str]| program(dir).args(RETRAIN).args(options).output().unwrap();
    put_data(&dir.join("data"));
    let output = retrain(&["--seeds=2", "--data-dir=data"]);
    assert!(output.status.success(), "{}", stderr(&output));
    fs::rename(dir.join("data"), dir.join("elsewhere")).unwrap();
    let output = retrain(&["--seeds=3", "--data-dir=elsewhere"]);
    assert!(stdout(&output).contains("3 trainings"), "{}", stderr(&output));
    put(&dir.join("elsewhere/train/cat/100.png"), 7);
    for folder in ["elsewhere", "moved-again"] {
        let output = retrain(&["--seeds=4", "--data-dir", folder]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("holds a training with another data set"), "{}", stderr(&output));
        assert!(!dir.join("net/seed-3").exists());
        let _ = fs::rename(dir.join("elsewhere"), dir.join("moved-again"));
    }
    // The first training is unfinished, so that it would be refused only when it continues.
    ["net/seed-1", "net/seed-2"].iter().for_each(|seed| fs::remove_dir_all(dir.join(seed)).unwrap());
    cut(dir, "net/seed-0");
    let output = retrain(&["--seeds=2", "--data-dir=moved-again"]);
    assert!(stderr(&output).contains("net/seed-0 holds a training with another data set"), "{}", stderr(&output));
    assert!(!dir.join("net/seed-1").exists());
}

#[test]
fn an_unfinished_run_keeps_a_comparison_on_its_data() {
    let (dir, _) = setup("compare-data");
    let dir = dir.path();
    let compare = |options: &[&str]| {
        let common = ["compare", "--strategies=plain", "--sequence=0", "--out=c"];
        program(dir).args(common).args(FOLDER).args(options).output().unwrap()
    };
    put_data(&dir.join("data"));
    assert!(compare(&["--seeds=1"]).status.success());
    cut(dir, "c/runs/plain-s0");
    put(&dir.join("data/train/cat/100.png"), 7);
    let output = compare(&["--seeds=2"]);
    assert!(stderr(&output).contains("c/runs/plain-s0 holds a run with another data set"), "{}", stderr(&output));
    assert!(!dir.join("c/runs/plain-s1").exists());
}

#[test]
fn another_data_set_replaces_the_folder_of_a_run() {
    let (dir, _) = setup("replaced-data");
    let dir = dir.path();
    put_data(&dir.join("data"));
    run(dir);
    let options =
        ["retrain", "--from=out", "--arch=12", "--data=digits", "--limit-train=64", "--epochs=1", "--out=net"];
    let output = program(dir).args(options).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_relative_truth_table_is_found_from_other_directories() {
    let (dir, _) = setup("truth-path");
    let dir = dir.path();
    put_data(&dir.join("data"));
    fs::write(dir.join("truth.csv"), "arch,accuracy\n00,50\n11,60\n22,70\n12,65\n").unwrap();
    let output = program(dir).args(FOLDER).args(["--truth=truth.csv", "--truth-samples=all", "--out=out"]).output();
    assert!(output.as_ref().unwrap().status.success(), "{}", stderr(&output.unwrap()));
    fs::create_dir(dir.join("below")).unwrap();
    let there = program(&dir.join("below")).args(["evaluate", "../out", "--ranking"]).output().unwrap();
    assert!(there.status.success(), "{}", stderr(&there));
    cut(dir, "out");
    let there = program(&dir.join("below")).args(["resume", "../out"]).output().unwrap();
    assert!(there.status.success(), "{}", stderr(&there));
}
