//! Helpers of the tests: a directory for each test, runs that take milliseconds, expected errors.

use assert_cmd::Command;
use std::fs;
use std::path::Path;
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
