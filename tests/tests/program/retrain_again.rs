//! `retrain` into the directory of an earlier command.

use super::helper::{SMALL, cut, names, program, read, refuses, retrain, send_signal, setup, stderr, stdout, tiny};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

fn written(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

/// Runs `retrain` with these options, and expects an error with these words.
fn refused(dir: &Path, options: &[&str], code: i32, words: &[&str]) {
    refuses(dir, &[&["retrain"], SMALL, options].concat(), code, words);
}

/// Runs `retrain` with these options, and expects an error with these words after the training has begun.
fn fails(dir: &Path, options: &[&str], code: i32, words: &[&str]) {
    let output = program(dir).arg("retrain").args(SMALL).args(options).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    assert!(words.iter().all(|word| stderr(&output).contains(word)), "{}", stderr(&output));
}

#[test]
fn a_finished_training_is_not_repeated() {
    let (dir, _) = setup("again");
    let dir = dir.path();
    let options = [SMALL, &["--arch=21"]].concat();
    let summary = retrain(dir, "net", &options);
    let before = written(&dir.join("net/result.json"));
    let output = program(dir).arg("retrain").args(&options).args(["--out=net", "--threads=1"]).output().unwrap();
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), summary));
    assert_eq!(stderr(&output), "the training in net is finished\n");
    let json = retrain(dir, "net", &[&options[..], &["--json"]].concat());
    let result = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(result(&json), result(&read(dir, "net/result.json")));
    assert_eq!(written(&dir.join("net/result.json")), before);
    let result = read(dir, "net/result.json");
    fs::write(dir.join("net/result.json"), result.replace("tiny", "tine")).unwrap();
    refused(
        dir,
        &["--arch=21", "--out=net"],
        4,
        &["remove the directory", "net: result.json is incomplete or damaged"],
    );
}

#[test]
fn an_unfinished_training_continues() {
    let (dir, _) = setup("unfinished");
    let dir = dir.path();
    let options = [SMALL, &["--arch=21", "--checkpoint-every=1"]].concat();
    let summary = retrain(dir, "net", &options);
    cut(dir, "net");
    let newest = names(&dir.join("net/checkpoints")).into_iter().max().unwrap();
    fs::remove_dir_all(dir.join("net/checkpoints").join(newest)).unwrap();
    refused(
        dir,
        &["--arch=21", "--out=net", "--lr=0.1"],
        2,
        &["net holds a training with another train.lr (0.05, now 0.1)"],
    );
    let words = ["--tensorboard: the run in net was started without it: leave it out"];
    fails(dir, &["--arch=21", "--out=net", "--tensorboard=events"], 2, &words);
    // What only a supernet uses may be in a shared file.
    let shared = "plugins = ['none.so']\n[strategy]\nname = 'mine'\n[train]\ninit = 'run'\n";
    fs::write(dir.join("shared.toml"), shared).unwrap();
    let options = [&options[..], &["--config=shared.toml"]].concat();
    let output = program(dir).arg("retrain").args(&options).args(["--out=net"]).output().unwrap();
    assert!(stderr(&output).contains("net continues at step 8"), "{}", stderr(&output));
    assert_eq!(stdout(&output).lines().next(), summary.lines().next());
    cut(dir, "net");
    fs::remove_file(dir.join("net/config.toml")).unwrap();
    refused(
        dir,
        &["--arch=21", "--out=net"],
        2,
        &["killed before it wrote config.toml", "remove net and start the run"],
    );
}

#[test]
fn other_trainings_and_runs_are_refused() {
    let (dir, _) = setup("other");
    let dir = dir.path();
    retrain(dir, "net", &[SMALL, &["--arch=21"]].concat());
    let words = ["net holds a training with another train.lr (0.05, now 0.01)", "choose another --out"];
    refused(dir, &["--arch=21", "--out=net", "--lr=0.01"], 2, &words);
    refused(dir, &["--arch=11", "--out=net"], 2, &["another architecture (21, now 11)"]);
    let words = ["net is the directory of a single run", "leave --seeds out"];
    refused(dir, &["--arch=21", "--out=net", "--seeds=2"], 2, &words);
    tiny(dir, "run", &[]);
    refused(dir, &["--arch=21", "--out=run"], 2, &["run is the directory of a run with shared weights"]);
    fs::create_dir(dir.join("notes")).unwrap();
    fs::write(dir.join("notes/a.txt"), "").unwrap();
    refused(dir, &["--arch=21", "--out=notes"], 2, &["the run directory notes is not empty"]);
}

#[test]
fn several_seeds_give_mean_and_deviation_and_are_not_repeated() {
    let (dir, _) = setup("seeds");
    let dir = dir.path();
    let options = [SMALL, &["--arch=21", "--seeds=2"]].concat();
    let table = retrain(dir, "net", &options);
    assert!(table.contains("2 trainings") && table.contains("±"), "{table}");
    assert_ne!(read(dir, "net/seed-0/metrics.csv"), read(dir, "net/seed-1/metrics.csv"));
    let before = written(&dir.join("net/seed-0/result.json"));
    assert!(table.ends_with(&retrain(dir, "net", &options)));
    let json = retrain(dir, "net", &[&options[..], &["--json"]].concat());
    assert_eq!((json.lines().count(), written(&dir.join("net/seed-0/result.json"))), (2, before));
    // A setting is checked for all seeds before the first training.
    fs::remove_dir_all(dir.join("net/seed-0")).unwrap();
    let words = ["net/seed-1 holds a training with another train.lr (0.05, now 0.01)"];
    refused(dir, &["--arch=21", "--seeds=2", "--out=net", "--lr=0.01"], 2, &words);
    assert_eq!(names(&dir.join("net")), ["seed-1"]);
    refused(dir, &["--arch=21", "--out=net"], 2, &["net has trainings with several seeds", "give --seeds N"]);
}

#[test]
fn settings_without_influence_may_change_while_a_training_is_unfinished() {
    let (dir, _) = setup("free-settings");
    let dir = dir.path();
    let options = [SMALL, &["--arch=21", "--checkpoint-every=1"]].concat();
    retrain(dir, "net", &options);
    let expected = read(dir, "net/metrics.csv");
    cut(dir, "net");
    retrain(dir, "net", &[&options[..], &["--set=eval.batch_size=7", "--set=data.cache=memory"]].concat());
    assert_eq!(read(dir, "net/metrics.csv"), expected);
    assert!(read(dir, "net/manifest.json").contains("\"resumes\""));
}

#[test]
fn an_evaluation_that_is_not_finite_ends_the_training_as_diverged() {
    let (dir, _) = setup("evaluation-diverged");
    let options = ["--arch=21", "--epochs=1", "--batch-size=64", "--lr=1e30", "--out=net"];
    fails(dir.path(), &options, 5, &["training diverged", "the loss of an evaluation after it"]);
    assert!(!dir.path().join("net/result.json").exists());
}

#[test]
fn every_seed_is_tried_and_has_event_files_of_its_own() {
    let (dir, _) = setup("seeds-tensorboard");
    let dir = dir.path();
    let options = ["--arch=21", "--seeds=2", "--tensorboard=events", "--out=net"];
    retrain(dir, "net", &[SMALL, &options[..3]].concat());
    assert_eq!(names(&dir.join("events")), ["seed-0", "seed-1"]);
    fails(dir, &["--arch=21", "--seeds=2", "--lr=1e30", "--out=other"], 5, &["other/seed-0", "other/seed-1"]);
    assert_eq!(names(&dir.join("other")), ["seed-0", "seed-1"]);
}

#[test]
fn a_training_that_cannot_start_does_not_stop_the_others() {
    let (dir, _) = setup("seeds-start");
    let dir = dir.path();
    fs::create_dir_all(dir.join("net/seed-0")).unwrap();
    fs::write(dir.join("net/seed-0/notes.txt"), "mine").unwrap();
    fails(dir, &["--arch=21", "--seeds=2", "--out=net"], 2, &["the run directory net/seed-0 is not empty"]);
    assert_eq!(names(&dir.join("net/seed-0")), ["notes.txt"]);
    assert!(dir.join("net/seed-1/result.json").exists());
}

#[test]
fn limits_and_options_of_the_earlier_run_are_announced_or_replaced() {
    let (dir, _) = setup("from-limits");
    let dir = dir.path();
    tiny(dir, "search", &["--limit-train=32"]);
    let options = ["retrain", "--from=search", "--epochs=1", "--batch-size=16", "--out=net"];
    let output = program(dir).args(options).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let note = "training on at most 32 images (data.limit_train of --from search); --limit-train changes it";
    assert!(stderr(&output).contains(note), "{}", stderr(&output));
    refused(dir, &["--arch=21", "--set=train.max_steps=3"], 2, &["--set train.max_steps=3 has no effect"]);
    let digits = ["retrain", "--space=tiny", "--arch=21", "--set=retrain.images=all"];
    refuses(dir, &digits, 2, &["retrain.images", "auto or split"]);
    let synthetic = "--set data.synthetic.samples=200 has no effect, because data.name is digits, not synthetic";
    refused(dir, &["--arch=21", "--data=digits"], 2, &[synthetic]);
}

#[test]
#[cfg(unix)]
fn an_interrupted_training_names_the_command_that_continues_it() {
    for (seeds, run, hint) in [
        ("--seeds=1", "net", "to resume the run: nas-train resume net\n"),
        ("--seeds=2", "net/seed-0", "to continue, repeat the command\n"),
    ] {
        let (dir, _) = setup("interrupted");
        let mut command = Command::new(env!("CARGO_BIN_EXE_nas-train-extended"));
        command.current_dir(dir.path()).arg("retrain").args(SMALL).args(["--arch=21", "--out=net", seeds]);
        command.args(["--epochs=100000", "--set=retrain.eval_every=0"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let (mut child, start) = (command.spawn().unwrap(), Instant::now());
        while !fs::read_to_string(dir.path().join(run).join("metrics.csv")).is_ok_and(|text| text.lines().count() > 1) {
            if start.elapsed() > Duration::from_secs(30) {
                child.kill().unwrap();
                panic!("no step");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        send_signal(child.id(), "-TERM");
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        assert!(stderr(&output).ends_with(hint), "{}", stderr(&output));
    }
}
