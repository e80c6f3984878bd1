//! Runs that stop early: divergence, signals, closed pipes, full disks.

use super::helper::{TINY, names, program, read, read_json, send_signal, setup, stderr, stdout};
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn manifest(out: &Path) -> Value {
    read_json(out, "manifest.json")
}

/// Number of rows of a CSV file, whose last line must be complete.
fn rows(out: &Path, file: &str) -> usize {
    let text = read(out, file);
    assert!(text.ends_with('\n'), "{file}: {text}");
    text.lines().count() - 1
}

#[test]
fn a_diverged_run_reports_the_step_and_keeps_its_measurements() {
    let (dir, mut command) = setup("diverged");
    let output = command.args(TINY).args(["--lr=1e30", "--json", "--out=out"]).output().unwrap();
    let message = stderr(&output);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(5), ""), "{message}");
    for words in ["error: training diverged", "in step ", "architecture ", "lower learning rate (--lr"] {
        assert!(message.contains(words), "{words} in {message}");
    }
    let out = dir.path().join("out");
    assert!(rows(&out, "metrics.csv") >= 1);
    let manifest = manifest(&out);
    assert_eq!(manifest["status"], "failed");
    assert!(manifest["error"].as_str().unwrap().contains("diverged"), "{manifest}");
    assert!(!out.join("result.json").exists());
}

/// The loss of a step is computed before its update, so only an evaluation detects non-finite weights after the last
/// step.
#[test]
fn a_run_that_diverges_in_its_last_step_fails() {
    let (dir, mut command) = setup("last");
    let options = ["--epochs=1", "--limit-train=16", "--set=train.weight_decay=1e300", "--json", "--out=out"];
    let output = command.args(TINY).args(options).output().unwrap();
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(5), ""), "{}", stderr(&output));
    assert!(stderr(&output).contains("training diverged in step 0 (epoch 0)"), "{}", stderr(&output));
    assert_eq!(manifest(&dir.path().join("out"))["status"], "failed");
}

/// The first draw after the update with a huge learning rate fails, in the plan of the strategy.
#[test]
fn a_controller_that_diverges_ends_the_run_like_a_diverged_training() {
    let (dir, mut command) = setup("controller");
    let controller = ["--controller=reinforce", "--controller-start=0", "--set=controller.samples=1"];
    let options = ["--set=controller.lr=1e300", "--json", "--out=out"];
    let output = command.args(TINY).args(controller).args(options).output().unwrap();
    let error = stderr(&output);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(5), ""), "{error}");
    for words in ["error: controller reinforce: ", "diverged", "lower controller.lr"] {
        assert!(error.contains(words), "{words} in {error}");
    }
    assert!(!error.contains("strategy"), "{error}");
    assert_eq!(manifest(&dir.path().join("out"))["status"], "failed");
}

/// Starts a run that takes hours, and waits for its first metrics.
fn start_long_run(dir: &Path) -> Child {
    start_after(dir, "")
}

/// As [`start_long_run`], in a shell that has run `commands` first.
fn start_after(dir: &Path, commands: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{commands}\nexec \"$@\""), "sh", env!("CARGO_BIN_EXE_nas-train-extended")]);
    command.current_dir(dir).args(TINY).args(["--epochs=1000000", "--json", "--out=out"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let metrics = dir.join("out/metrics.csv");
    let start = Instant::now();
    while fs::read_to_string(&metrics).unwrap_or_default().lines().count() < 20 {
        assert!(start.elapsed() < Duration::from_secs(30), "the run has not started");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

#[test]
#[cfg(unix)]
fn a_signal_ends_the_run_with_a_result() {
    for signal in ["-INT", "-TERM"] {
        let (dir, _) = setup("interrupt");
        let child = start_long_run(dir.path());
        // `timeout` signals the process and then its group.
        send_signal(child.id(), signal);
        send_signal(child.id(), signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
        let out = dir.path().join("out");
        let result: Value = serde_json::from_str(stdout(&output).lines().last().unwrap()).unwrap();
        assert_eq!((&result["interrupted"], &result["selected"]), (&true.into(), &Value::Null));
        let steps = result["steps"].as_u64().unwrap();
        let losses = read(&out, "metrics.csv").lines().filter(|line| line.contains(",train,loss,")).count();
        assert_eq!(losses as u64, steps);
        assert!(rows(&out, "archs.csv") >= 4);
        assert_eq!(manifest(&out)["status"], "interrupted");
        assert_eq!(read_json(&out, "result.json"), result);
    }
}

/// `nohup` ignores the signal of a closed terminal, and a shell ignores Ctrl-C for programs in the background.
#[test]
#[cfg(unix)]
fn signals_that_are_ignored_at_the_start_stay_ignored() {
    for (ignored, signal) in [("HUP", "-HUP"), ("INT", "-INT")] {
        let (dir, _) = setup("ignored");
        let child = start_after(dir.path(), &format!("trap '' {ignored}"));
        send_signal(child.id(), signal);
        let rows = || read(dir.path(), "out/metrics.csv").lines().count();
        let (before, start) = (rows(), Instant::now());
        while rows() < before + 50 {
            assert!(start.elapsed() < Duration::from_secs(30), "the run has ended with {signal}");
            std::thread::sleep(Duration::from_millis(10));
        }
        send_signal(child.id(), "-TERM");
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    }
    let (dir, _) = setup("hangup");
    let child = start_after(dir.path(), "");
    send_signal(child.id(), "-HUP");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
}

#[test]
#[cfg(unix)]
fn a_killed_run_leaves_complete_rows() {
    let (dir, _) = setup("kill");
    let mut child = start_long_run(dir.path());
    child.kill().unwrap();
    child.wait().unwrap();
    let out = dir.path().join("out");
    assert!(rows(&out, "metrics.csv") >= 19);
    assert_eq!(manifest(&out)["status"], "running");
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let (dir, _) = setup("pipe");
    for arguments in [&["list"][..], &["--help"], &["config", "example"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_nas-train-extended"))
            .args(arguments)
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && stderr(&output).is_empty(), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn results_that_cannot_be_written_are_reported() {
    let (dir, _) = setup("full");
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_nas-train-extended"));
    let output = command.arg("list").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("error: cannot write to standard output: No space"), "{}", stderr(&output));

    // A limit on file sizes, in blocks of 512 or 1024 bytes, simulates a full disk.
    let script = "ulimit -f 8; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_nas-train-extended")]).args(TINY);
    let output = command.args(["--epochs=1000", "--out=out"]).current_dir(dir.path()).output().unwrap();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("error: cannot record results: out/") && message.contains("File too large"), "{message}");
    let out = dir.path().join("out");
    assert!(read(&out, "metrics.csv").lines().count() > 30);
    assert_eq!(manifest(&out)["status"], "failed");
    assert!(manifest(&out)["error"].as_str().unwrap().contains("out/"), "{}", manifest(&out));
    assert!(names(&out).iter().all(|name| !name.ends_with(".new")), "{:?}", names(&out));

    // Without room for the first file, the run leaves nothing, so that the same command can be repeated.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -f 0; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_nas-train-extended")]).args(TINY);
    let output = command.args(["--out=none", "--tensorboard=t"]).current_dir(dir.path()).output().unwrap();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("error: cannot write none/manifest.json: File too large"), "{message}");
    assert_eq!(names(dir.path()), ["out"]);
}

#[test]
fn a_closed_standard_error_does_not_cause_a_panic() {
    let (dir, _) = setup("mute");
    let mut child = Command::new(env!("CARGO_BIN_EXE_nas-train-extended"))
        .args(TINY)
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    assert!(child.wait().unwrap().success());
    program(dir.path()).arg("nonsense").assert().code(2);
}

/// The step of every variant is timed for three seconds.
#[test]
#[cfg(unix)]
fn a_signal_ends_the_measurement_of_step_times() {
    let (dir, _) = setup("times");
    let mut command = Command::new(env!("CARGO_BIN_EXE_nas-train-extended"));
    let variants = "--strategies=plain,plain:paths=2,plain:paths=3,plain:paths=4";
    command.current_dir(dir.path()).args(["compare", variants, "--budget=time", "--out=out"]).args(TINY);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while !dir.path().join("out/.lock").exists() {
        assert!(start.elapsed() < Duration::from_secs(30), "the comparison has not started");
        std::thread::sleep(Duration::from_millis(10));
    }
    send_signal(child.id(), "-INT");
    let sent = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(sent.elapsed() < Duration::from_secs(5), "{:?}", sent.elapsed());
    assert!(!dir.path().join("out/step_times.json").exists());
    assert!(!stderr(&output).contains("of them done"), "{}", stderr(&output));
}

/// The interrupted training of a table continues from its checkpoint, and the table is that of one without interrupt.
#[test]
#[cfg(unix)]
fn a_training_of_a_truth_table_continues() {
    let (dir, _) = setup("parts");
    let dir = dir.path();
    let truth = |out: &str| {
        let arguments = "truth --space=tiny --data=digits --epochs=60 --samples=2 --jobs=1 --checkpoint-every=1";
        let mut command = Command::new(env!("CARGO_BIN_EXE_nas-train-extended"));
        command
            .current_dir(dir)
            .args(arguments.split(' '))
            .args(["--out", out])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    };
    assert!(truth("whole.csv").output().unwrap().status.success());
    let child = truth("t.csv").spawn().unwrap();
    let start = Instant::now();
    while fs::read_dir(dir.join("t.checkpoints")).map_or(0, Iterator::count) == 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "no checkpoint");
        std::thread::sleep(Duration::from_millis(1));
    }
    send_signal(child.id(), "-INT");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    let output = truth("t.csv").output().unwrap();
    assert!(output.status.success() && stderr(&output).contains("and 1 in part"), "{}", stderr(&output));
    assert_eq!(fs::read(dir.join("t.csv")).unwrap(), fs::read(dir.join("whole.csv")).unwrap());
    assert!(!dir.join("t.checkpoints").exists());
}

/// Thousands of trainings are left when the signal arrives.
#[test]
#[cfg(unix)]
fn a_signal_ends_a_truth_table() {
    let (dir, _) = setup("table");
    let mut command = Command::new(env!("CARGO_BIN_EXE_nas-train-extended"));
    let truth = ["truth", "--data=digits", "--epochs=1000", "--samples=15000", "--seeds=1", "--jobs=2", "--out=t.csv"];
    let child = command.current_dir(dir.path()).args(truth).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().unwrap();
    let start = Instant::now();
    while !dir.path().join("t.csv").exists() {
        assert!(start.elapsed() < Duration::from_secs(30), "the table has not been started");
        std::thread::sleep(Duration::from_millis(10));
    }
    send_signal(child.id(), "-INT");
    let sent = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(sent.elapsed() < Duration::from_secs(5), "{:?}", sent.elapsed());
    assert!(stdout(&output).contains("interrupted; repeat the command to resume"));
}
