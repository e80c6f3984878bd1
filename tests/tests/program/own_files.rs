//! A comparison and a run change only files that they made.

use super::helper::{TINY, names, program, read, refuses, setup, stderr, tiny};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// A comparison of one run, in `c/runs/plain-s0`.
const COMPARE: &str = "compare --strategies plain --seeds 1 --sequence 0 --out c";

fn arguments(options: &str) -> Vec<String> {
    COMPARE.split_whitespace().chain(TINY.iter().copied()).chain(options.split_whitespace()).map(Into::into).collect()
}

fn compare(dir: &Path, options: &str) -> Output {
    let output = program(dir).args(arguments(options)).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

/// Asserts that the comparison is refused before any training, with a message that contains `words`.
fn refused(dir: &Path, options: &str, words: &[&str]) {
    let arguments = arguments(options);
    refuses(dir, &arguments.iter().map(String::as_str).collect::<Vec<_>>(), 2, words);
}

fn replace(dir: &Path, file: &str, from: &str, to: &str) {
    let text = read(dir, file);
    assert!(text.contains(from), "{from} in {text}");
    fs::write(dir.join(file), text.replace(from, to)).unwrap();
}

#[test]
fn a_comparison_removes_no_directory_that_it_did_not_make() {
    let (dir, _) = setup("foreign");
    let dir = dir.path();
    let remedy = "move or remove the directory, or choose another --out";
    // Notes of the user, also with the name of a file of a run.
    fs::create_dir_all(dir.join("c/runs/plain-s0")).unwrap();
    fs::write(dir.join("c/runs/plain-s0/notes.txt"), "mine").unwrap();
    refused(dir, "", &["c/runs/plain-s0 holds files that no comparison made", remedy]);
    fs::write(dir.join("c/runs/plain-s0/metrics.csv"), "mine").unwrap();
    refused(dir, "", &["c/runs/plain-s0 holds files that no comparison made"]);
    assert_eq!(names(&dir.join("c/runs/plain-s0")), ["metrics.csv", "notes.txt"]);
    fs::remove_dir_all(dir.join("c/runs/plain-s0")).unwrap();
    fs::write(dir.join("c/runs/plain-s0"), "a file").unwrap();
    refused(dir, "", &["c/runs/plain-s0"]);
    fs::remove_file(dir.join("c/runs/plain-s0")).unwrap();

    // A single run that was stopped, or is in progress.
    tiny(dir, "c/runs/plain-s0", &["--progress=none"]);
    let files = names(&dir.join("c/runs/plain-s0"));
    for status in ["interrupted", "running", "failed"] {
        replace(dir, "c/runs/plain-s0/manifest.json", "\"status\": \"finished\"", &format!("\"status\": \"{status}\""));
        refused(dir, "", &["c/runs/plain-s0 holds a run that no comparison made, and the run", remedy]);
        replace(dir, "c/runs/plain-s0/manifest.json", &format!("\"status\": \"{status}\""), "\"status\": \"finished\"");
    }
    let result = read(dir, "c/runs/plain-s0/result.json");
    fs::write(dir.join("c/runs/plain-s0/result.json"), &result[..9]).unwrap();
    refused(dir, "", &["a run that no comparison made, and result.json is incomplete", remedy]);
    assert_eq!(names(&dir.join("c/runs/plain-s0")), files);

    // The finished run has the settings of the comparison, so it is part of it.
    fs::write(dir.join("c/runs/plain-s0/result.json"), result).unwrap();
    assert!(stderr(&compare(dir, "")).contains("1 run, 1 of them done"));
    // An empty directory holds nothing to lose.
    fs::create_dir_all(dir.join("d/runs/plain-s0")).unwrap();
    compare(dir, "--out d");
}

#[test]
fn a_repeated_run_keeps_the_notes_beside_it() {
    let (dir, _) = setup("notes");
    let dir = dir.path();
    compare(dir, "");
    let figures = read(dir, "c/comparison.csv");
    fs::write(dir.join("c/runs/plain-s0/notes.txt"), "mine").unwrap();
    replace(dir, "c/runs/plain-s0/manifest.json", "\"finished\"", "\"running\"");
    assert!(stderr(&compare(dir, "")).contains("1 run, 0 of them done"));
    assert_eq!(read(dir, "c/runs/plain-s0/notes.txt"), "mine");
    assert_eq!(read(dir, "c/comparison.csv"), figures);
}

#[test]
fn event_files_of_others_are_neither_removed_nor_joined() {
    let (dir, _) = setup("events");
    let dir = dir.path();
    fs::create_dir(dir.join("c")).unwrap();
    let other = dir.join("tb/plain-s0/events.out.tfevents.0000000001.host.1.0");
    fs::create_dir_all(dir.join("tb/plain-s0")).unwrap();
    fs::write(&other, "another run").unwrap();
    refused(dir, "--tensorboard tb", &["tb/plain-s0 has event files already"]);
    assert_eq!(fs::read_to_string(&other).unwrap(), "another run");
    // A manifest cannot name another file as the run's own.
    compare(dir, "--tensorboard mine");
    replace(dir, "c/runs/plain-s0/manifest.json", "\"finished\"", "\"running\"");
    let own = names(&dir.join("mine/plain-s0"))[0].clone();
    replace(dir, "c/runs/plain-s0/manifest.json", &own, "../../notes.txt");
    fs::write(dir.join("notes.txt"), "mine").unwrap();
    refused(dir, "--tensorboard mine", &["mine/plain-s0 has event files already"]);
    assert_eq!(read(dir, "notes.txt"), "mine");
}

#[test]
fn tensorboard_may_write_inside_of_the_output() {
    let (dir, _) = setup("inside");
    let dir = dir.path();
    for (out, events) in [("a", "a/tb"), ("b", "b")] {
        tiny(dir, out, &["--progress=none", "--tensorboard", events]);
        assert!(names(&dir.join(events)).iter().any(|name| name.starts_with("events.out.tfevents.")), "{events}");
    }
    for (out, events) in [("c", "c/tb"), ("d", "d/runs"), ("e", "e")] {
        let options = format!("--out {out} --tensorboard {events}");
        compare(dir, &options);
        replace(dir, &format!("{out}/runs/plain-s0/manifest.json"), "\"finished\"", "\"running\"");
        assert!(stderr(&compare(dir, &options)).contains("1 run, 0 of them done"));
        let own = names(&dir.join(events).join("plain-s0"));
        assert_eq!(own.iter().filter(|name| name.starts_with("events.out")).count(), 1, "{own:?}");
    }
}

#[test]
fn a_refused_start_leaves_no_files() {
    let (dir, _) = setup("start");
    let dir = dir.path();
    fs::create_dir(dir.join("full")).unwrap();
    fs::write(dir.join("full/notes.txt"), "mine").unwrap();
    fs::write(dir.join("file"), "mine").unwrap();
    fs::create_dir(dir.join("t")).unwrap();
    fs::write(dir.join("t/events.out.tfevents.1"), "another run").unwrap();
    let run = |options: &[&'static str], code, words: &[&str]| {
        refuses(dir, &[TINY, &["--progress=none"], options].concat(), code, words);
    };
    run(&["--out=full", "--tensorboard=new"], 2, &["full is not empty"]);
    run(&["--out=new", "--tensorboard=t"], 2, &["t has event files already"]);
    run(&["--out=file/new", "--tensorboard=new-events"], 1, &["file/new"]);
    run(&["--out=new", "--tensorboard=file"], 2, &["--tensorboard: file is a file; choose a directory"]);
    run(&["--out=new", "--tensorboard=file/t"], 1, &["file/t"]);
    tiny(dir, "new", &["--progress=none", "--tensorboard=new-events"]);
    assert_eq!(names(&dir.join("new-events")).len(), 1);
}

fn start(dir: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nas-train-extended"));
    command.current_dir(dir).args(arguments).args(TINY).arg("--progress=none");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn of_two_programs_with_the_same_output_one_is_refused() {
    let (dir, _) = setup("same");
    let dir = dir.path();
    let compare: Vec<&str> = COMPARE.split_whitespace().chain(["--out=out"]).collect();
    for second in [&["--out=out"][..], &["disturbance", "--sequence=2", "--out=out"], &compare] {
        let mut first_done = false;
        let children = [start(dir, &["--out=out", "--tensorboard=t"]), start(dir, second)];
        for output in children.map(|child| child.wait_with_output().unwrap()) {
            let message = stderr(&output);
            first_done |= output.status.success();
            assert!(output.status.success() || output.status.code() == Some(2), "{message}");
            assert!(!message.contains("File exists"), "{message}");
        }
        assert!(first_done);
        fs::remove_dir_all(dir.join("out")).unwrap();
        let _ = fs::remove_dir_all(dir.join("t"));
    }
    let mut running = start(dir, &["--epochs=1000000", "--out=out"]);
    while !dir.join("out/metrics.csv").exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    refuses(dir, &[&["--out=out"], TINY].concat(), 2, &["out is not empty"]);
    refused(dir, "--out out", &["out is the directory of a run"]);
    running.kill().unwrap();
    running.wait().unwrap();
}

/// Another directory may reach the run through a link, so the lock of the output directory does not suffice.
#[test]
fn a_run_in_progress_is_not_repeated() {
    let (dir, _) = setup("progress");
    let dir = dir.path();
    compare(dir, "--checkpoint-every=none");
    replace(dir, "c/runs/plain-s0/manifest.json", "\"status\": \"finished\"", "\"status\": \"running\"");
    let log = fs::File::open(dir.join("c/runs/plain-s0/log.jsonl")).unwrap();
    log.lock().unwrap();
    let output = program(dir).args(arguments("--checkpoint-every=none")).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("c/runs/plain-s0 is in use by another nas-train process"), "{}", stderr(&output));
    drop(log);
    compare(dir, "--checkpoint-every=none");
}
