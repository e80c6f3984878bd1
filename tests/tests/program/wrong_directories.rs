//! Directories that hold something else than the run that a command reads: exit code and hint are the same for all
//! commands.

use super::helper::{SMALL, TINY, cut, program, read, refuses, retrain, setup, tiny};
use std::fs;

/// Commands that read a finished run, and the one that reads an unfinished run, with the directory `DIR`.
const COMMANDS: [&str; 7] = [
    "retrain --from DIR --out x",
    "retrain --from DIR --arch 21 --out x",
    "export DIR --onnx x",
    "table cifar10 DIR",
    "search DIR --out x",
    "evaluate DIR --arch 21",
    "resume DIR",
];

#[test]
fn a_directory_without_a_run_is_wrong_input() {
    let (dir, _) = setup("without");
    let dir = dir.path();
    tiny(dir, "run", &[]);
    program(dir).args(["search", "run", "--budget=4", "--out=found"]).assert().success();
    program(dir).arg("compare").args(TINY).args(["--strategies=plain", "--seeds=1", "--out=all"]).assert().success();
    retrain(dir, "seeds", &[SMALL, &["--arch=21", "--seeds=2"]].concat());
    fs::create_dir(dir.join("empty")).unwrap();
    fs::write(dir.join("file"), "").unwrap();
    for (path, hint) in [
        ("missing", "missing: not a run directory: it does not exist"),
        ("empty", "empty: not a run directory: it has no manifest.json"),
        ("file", "file: not a run directory: it is a file"),
        ("found", "found: not a run directory: it has the result of `nas-train search`"),
        ("all", "all: not a run directory: it is a comparison with runs such as all/runs/plain-s0"),
        ("seeds", "seeds: not a run directory: it has trainings with several seeds, such as seeds/seed-0"),
    ] {
        // `table` takes all seeds.
        for command in COMMANDS.iter().filter(|command| path != "seeds" || !command.starts_with("table")) {
            let arguments: Vec<&str> = command.split(' ').map(|part| if part == "DIR" { path } else { part }).collect();
            refuses(dir, &arguments, 2, &[hint]);
        }
    }
}

#[test]
fn an_unfinished_run_is_wrong_input_and_a_damaged_one_is_damaged_data() {
    let (dir, _) = setup("unfinished");
    let dir = dir.path();
    tiny(dir, "run", &[]);
    let result = read(dir, "run/result.json");
    cut(dir, "run");
    let commands =
        [&["retrain", "--from=run", "--out=x"][..], &["export", "run", "--onnx=x"], &["table", "cifar10", "run"]];
    for command in commands {
        let words = "run: the run is unfinished (status running); `nas-train resume` continues it";
        refuses(dir, command, 2, &[words]);
    }
    let manifest = read(dir, "run/manifest.json").replace("\"running\"", "\"finished\"");
    fs::write(dir.join("run/manifest.json"), manifest).unwrap();
    for (content, words) in
        [(None, "run: result.json is missing"), (Some(&result[1..]), "result.json is incomplete or damaged")]
    {
        if let Some(content) = content {
            fs::write(dir.join("run/result.json"), content).unwrap();
        }
        commands.iter().for_each(|command| refuses(dir, command, 4, &[words]));
    }
}
