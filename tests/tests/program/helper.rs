//! Helpers of the tests: a directory for each test, runs that take milliseconds, expected errors.

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

/// An empty directory, and a command that runs the program in it.
pub fn setup(name: &str) -> (TempDir, Command) {
    let dir = tempfile::Builder::new().prefix(name).tempdir().unwrap();
    let command = program(dir.path());
    (dir, command)
}

/// A command that runs the program in `dir`, for at most a minute.
pub fn program(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nas-train-extended"));
    command.current_dir(dir).timeout(std::time::Duration::from_secs(60));
    command
}

/// Options of a run over nine architectures, 3 epochs of 4 steps.
pub const TINY: &[&str] = &[
    "--space=tiny",
    "--data=synthetic",
    "--set=data.synthetic.samples=200",
    "--set=data.synthetic.size=8",
    "--limit-train=64",
    "--batch-size=16",
    "--set=eval.images=40",
    "--epochs=3",
    "--probes=4",
    "--interval=1",
    "--set=probes.single_step_every=2",
];

/// Options of a stand-alone training in `tiny`, 3 epochs of 4 steps.
pub const SMALL: &[&str] = &[
    "--space=tiny",
    "--data=synthetic",
    "--set=data.synthetic.samples=200",
    "--set=data.synthetic.size=8",
    "--limit-train=64",
    "--batch-size=16",
    "--epochs=3",
];

/// Runs `retrain` with these options into `dir/out`, and returns what it prints.
pub fn retrain(dir: &Path, out: &str, options: &[&str]) -> String {
    let output = program(dir).arg("retrain").args(options).args(["--out", out]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

/// Makes a finished run look as after a kill before its end: its status and its result.
pub fn cut(dir: &Path, out: &str) {
    mark_unfinished(dir, out);
    fs::remove_file(dir.join(out).join("result.json")).unwrap();
}

/// Gives a finished run the status of one that was killed.
pub fn mark_unfinished(dir: &Path, out: &str) {
    let manifest = read(dir, &format!("{out}/manifest.json")).replace("\"finished\"", "\"running\"");
    fs::write(dir.join(out).join("manifest.json"), manifest).unwrap();
}

/// Sends a signal, such as `-INT`, to a process.
pub fn send_signal(process: u32, signal: &str) {
    assert!(std::process::Command::new("kill").args([signal, &process.to_string()]).status().unwrap().success());
}

/// Runs [`TINY`] with further options into `dir/out`, and expects success.
pub fn tiny(dir: &Path, out: &str, options: &[&str]) -> Output {
    let output = program(dir).args(TINY).args(["--out", out]).args(options).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

/// The standard error of a finished program.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The standard output of a finished program.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The content of a file below `dir`.
pub fn read(dir: &Path, file: &str) -> String {
    fs::read_to_string(dir.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The content of a JSON file below `dir`.
pub fn read_json(dir: &Path, file: &str) -> Value {
    serde_json::from_str(&read(dir, file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The sorted names of the files and directories in a directory.
pub fn names(dir: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = fs::read_dir(dir).unwrap().map(name).collect();
    names.sort();
    names
}

/// Expects that the program rejects its arguments: it exits with `code`, prints all `words` after `error:`, and writes
/// neither to standard output nor to `dir`.
pub fn refuses(dir: &Path, arguments: &[&str], code: i32, words: &[&str]) {
    let before = names(dir);
    let output = program(dir).args(arguments).output().unwrap();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
    let error = message.find("error: ").unwrap_or_else(|| panic!("{arguments:?}: no error in {message}"));
    for word in words {
        assert!(message[error..].contains(word), "{arguments:?}: no `{word}` in {message}");
    }
    assert!(!message.contains("panicked"), "{message}");
    assert_eq!(stdout(&output), "", "{arguments:?}");
    assert_eq!(names(dir), before, "{arguments:?} has written files");
}

/// The files that an interruption must not change, and the result without times.
pub fn outcome(out: &Path) -> (Vec<Vec<u8>>, Value) {
    let files = ["metrics.csv", "archs.csv", "weights.safetensors"];
    let mut result = read_json(out, "result.json");
    for key in ["wall_s", "train_s", "images_per_s", "peak_rss_mb"] {
        result[key] = Value::Null;
    }
    let telemetry = result["telemetry"].as_object_mut().unwrap();
    telemetry.retain(|key, _| !key.starts_with("time."));
    (files.map(|file| fs::read(out.join(file)).unwrap()).into(), result)
}

/// Continues a run, and returns what the program prints to standard error.
pub fn resume(dir: &Path, arguments: &[&str]) -> String {
    let output = program(dir).arg("resume").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

/// The library of an example plugin in Rust, which is a dependency of these tests.
pub fn example(name: &str) -> PathBuf {
    let file = format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    std::env::current_exe().unwrap().with_file_name(file)
}

/// Compiles a C file to a shared library with the C compiler of the system.
pub fn compile(source: &Path, library: &Path, flags: &[&str]) -> PathBuf {
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/include");
    let mut command = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()));
    command.args(["-shared", "-fPIC", "-I"]).arg(include).arg(source).arg("-o").arg(library).args(flags);
    command.assert().success();
    library.into()
}
