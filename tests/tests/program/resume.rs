//! Runs that are stopped and continue: equal bytes, and refusals.

use super::helper::{
    TINY, mark_unfinished, names, outcome, program, read, read_json, refuses, resume, send_signal, setup, stderr,
    stdout, tiny,
};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A run of some tenths of a second, with controller training in its second half.
const LONG: &[&str] = &[
    "--epochs=40",
    "--controller=reinforce",
    "--controller-start=20",
    "--set=controller.samples=4",
    "--set=controller.batch=2",
    "--checkpoint-every=1",
    "--threads=1",
];

fn start(dir: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nas-train-extended"));
    command.current_dir(dir).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn long() -> Vec<&'static str> {
    [TINY, LONG].concat()
}

/// Starts a run into `out` and sends a signal after it has written this many checkpoints.
fn stopped(dir: &Path, arguments: &[&str], out: &str, signal: &str, checkpoints: usize) -> std::process::Output {
    let out_option = format!("--out={out}");
    let child = start(dir, &[arguments, &[&out_option]].concat());
    let newest = || {
        let entries = fs::read_dir(dir.join(out).join("checkpoints")).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse::<usize>().ok()).max().unwrap_or(0)
    };
    let begun = Instant::now();
    while newest() < checkpoints {
        assert!(begun.elapsed() < Duration::from_secs(60), "no checkpoint");
        std::thread::sleep(Duration::from_millis(2));
    }
    send_signal(child.id(), signal);
    child.wait_with_output().unwrap()
}

#[test]
#[cfg(unix)]
fn a_killed_run_continues_with_the_same_bytes() {
    let (dir, _) = setup("killed");
    let dir = dir.path();
    tiny(dir, "whole", LONG);
    for (number, checkpoints) in [1, 25].into_iter().enumerate() {
        let out = format!("out{number}");
        stopped(dir, &long(), &out, "-KILL", checkpoints);
        let message = resume(dir, &[&out, "--threads=2"]);
        assert!(message.contains("continues at step "), "{message}");
        let (whole, mut resumed) = (outcome(&dir.join("whole")), outcome(&dir.join(&out)));
        resumed.1["threads"] = 1.into();
        assert!(whole.0 == resumed.0, "other files after {checkpoints} checkpoints");
        assert_eq!(whole.1, resumed.1);
    }
    let manifest = read_json(dir, "out0/manifest.json");
    assert_eq!((&manifest["status"], manifest["resumes"].as_array().unwrap().len()), (&"finished".into(), 1));
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_says_how_to_resume_and_continues() {
    let (dir, _) = setup("interrupted");
    let dir = dir.path();
    let output = stopped(dir, &long(), "out", "-INT", 2);
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("to resume the run: nas-train resume out"), "{}", stderr(&output));
    resume(dir, &["out"]);
    tiny(dir, "whole", LONG);
    assert!(outcome(&dir.join("whole")).0 == outcome(&dir.join("out")).0);
}

#[test]
#[cfg(unix)]
fn a_signal_asks_for_a_checkpoint() {
    let (dir, _) = setup("request");
    let arguments: Vec<&str> = TINY.iter().copied().chain(["--epochs=100000", "--out=out"]).collect();
    let child = start(dir.path(), &arguments);
    let metrics = dir.path().join("out/metrics.csv");
    let wait = |done: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < Duration::from_secs(30));
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    wait(&|| fs::read_to_string(&metrics).unwrap_or_default().lines().count() > 20);
    assert!(!dir.path().join("out/checkpoints").exists());
    send_signal(child.id(), "-USR1");
    wait(&|| dir.path().join("out/checkpoints/000001").exists());
    send_signal(child.id(), "-KILL");
    child.wait_with_output().unwrap();
}

#[test]
fn a_finished_run_can_be_made_longer() {
    let (dir, _) = setup("longer");
    let dir = dir.path();
    // The default start of the controller is that of the shorter run.
    tiny(dir, "whole", &["--epochs=7", "--controller-start=3"]);
    tiny(dir, "out", &["--epochs=4"]);
    refuses(dir, &["resume", "out"], 2, &["the run in out is finished; `--epochs N` makes it longer"]);
    refuses(dir, &["resume", "out", "--epochs=4"], 2, &["--epochs: expected more than 4, the epochs of the run"]);
    resume(dir, &["out", "--epochs=7"]);
    let (whole, longer) = (outcome(&dir.join("whole")), outcome(&dir.join("out")));
    assert!(whole == longer);
    tiny(dir, "cosine", &["--lr-schedule=cosine"]);
    let words = ["error: cosine/config.toml: train.lr_schedule: expected `constant` to extend a run", "found cosine"];
    refuses(dir, &["resume", "cosine", "--epochs=7"], 2, &words);
    tiny(dir, "linear", &["--strategy=ogd", "--set=strategy.alpha_schedule=linear", "--epochs=2"]);
    let words = ["strategy.alpha_schedule", "`constant`", "found linear"];
    refuses(dir, &["resume", "linear", "--epochs=7"], 2, &words);
}

#[test]
fn damaged_checkpoints_are_skipped_and_other_data_refused() {
    let (dir, _) = setup("damaged");
    let dir = dir.path();
    tiny(dir, "out", &["--checkpoint-every=1"]);
    assert_eq!(names(&dir.join("out/checkpoints")).len(), 2);
    let manifest = read(dir, "out/manifest.json").replace("\"finished\"", "\"running\"");
    fs::write(dir.join("out/manifest.json"), &manifest).unwrap();
    let newest = dir.join("out/checkpoints").join(names(&dir.join("out/checkpoints"))[1].clone());
    let tensors = fs::read(newest.join("tensors.safetensors")).unwrap();
    fs::write(newest.join("tensors.safetensors"), &tensors[..tensors.len() / 2]).unwrap();
    let message = resume(dir, &["out"]);
    for words in
        ["warning: skipped a damaged checkpoint", "its checksum is not the one in SHA256SUMS", "continues at step 8"]
    {
        assert!(message.contains(words), "{words} in {message}");
    }

    fs::write(dir.join("out/manifest.json"), &manifest).unwrap();
    let config = read(dir, "out/config.toml");
    fs::write(dir.join("out/config.toml"), config.replace("samples = 200", "samples = 201")).unwrap();
    refuses(dir, &["resume", "out"], 2, &["out was started with another data set (synthetic with 200 images", "now"]);
    fs::write(dir.join("out/config.toml"), config.replace("lr = 0.05", "lr = 0.1")).unwrap();
    refuses(dir, &["resume", "out"], 2, &["expected state of a run with train.lr = 0.1, found 0.05"]);
    fs::write(dir.join("out/config.toml"), config).unwrap();
    fs::write(dir.join("out/metrics.csv"), "step,epoch\n").unwrap();
    refuses(dir, &["resume", "out"], 2, &["metrics.csv has changed since the checkpoint"]);
    refuses(dir, &["resume", "none"], 2, &["not a run directory"]);
}

#[test]
fn a_refused_resume_leaves_the_result_of_a_finished_run() {
    let (dir, _) = setup("refused");
    let dir = dir.path();
    tiny(dir, "out", &["--checkpoint-every=1", "--tensorboard=events"]);
    let content = || {
        names(&dir.join("out"))
            .into_iter()
            .filter(|name| name != "checkpoints")
            .map(|n| fs::read(dir.join("out").join(n)).unwrap())
            .collect::<Vec<_>>()
    };
    let before = content();
    fs::rename(dir.join("events"), dir.join("moved")).unwrap();
    let words = ["cannot continue the event file ", "restore it, or use the --tensorboard directory"];
    refuses(dir, &["resume", "out", "--epochs=5"], 1, &words);
    assert!(content() == before);
    fs::rename(dir.join("moved"), dir.join("events")).unwrap();
    let timings = read(dir, "out/timings.csv");
    fs::write(dir.join("out/timings.csv"), "epoch\n").unwrap();
    refuses(dir, &["resume", "out", "--epochs=5"], 2, &["timings.csv has changed since the checkpoint"]);
    fs::write(dir.join("out/timings.csv"), timings).unwrap();
    assert!(content() == before);
    assert!(resume(dir, &["out", "--epochs=5"]).contains("out continues at step"));
}

#[test]
fn without_checkpoints_a_run_starts_again() {
    let (dir, _) = setup("none");
    let dir = dir.path();
    tiny(dir, "out", &["--checkpoint-every=none", "--no-weights"]);
    assert!(!names(&dir.join("out")).iter().any(|name| name.starts_with("checkpoints") || name.starts_with("weights")));
    mark_unfinished(dir, "out");
    let metrics = read(dir, "out/metrics.csv");
    assert!(resume(dir, &["out"]).contains("out has no undamaged checkpoint, so the run starts again"));
    assert_eq!(read(dir, "out/metrics.csv"), metrics);
    refuses(dir, &["--checkpoint-every=5h"], 2, &["save.checkpoint_every", "minutes such as `10m`"]);
}

#[test]
#[cfg(unix)]
fn a_sequence_continues_when_its_command_is_repeated() {
    let (dir, _) = setup("sequence");
    let dir = dir.path();
    let sequence: Vec<&str> =
        "disturbance --sequence=6 --space=tiny --data=synthetic --set=data.synthetic.samples=200 \
        --set=data.synthetic.size=8 --limit-train=64 --batch-size=16 --epochs=8 --checkpoint-every=1"
            .split_whitespace()
            .collect();
    let run = |out: &str| program(dir).args(&sequence).arg(format!("--out={out}")).output().unwrap();
    assert!(run("whole").status.success());
    stopped(dir, &sequence, "out", "-KILL", 3);
    for (change, other) in [("--lr=0.1", "train.lr (0.05, now 0.1)"), ("--sequence=5", "--sequence (6, now 5)")] {
        let changed = [&sequence[..], &["--out=out", change]].concat();
        refuses(dir, &changed, 2, &["out holds an unfinished run with another", other, "choose another --out"]);
    }
    let output = run("out");
    assert!(stderr(&output).contains("out continues at step "), "{}", stderr(&output));
    for file in ["metrics.csv", "archs.csv", "matrix.csv"] {
        assert_eq!(read(dir, &format!("whole/{file}")), read(dir, &format!("out/{file}")), "{file}");
    }
    assert_eq!(run("out").status.code(), Some(2), "a finished sequence is not repeated");
    assert_eq!(stdout(&run("out")), "");
}
