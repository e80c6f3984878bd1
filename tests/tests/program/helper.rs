//! A fresh directory for each test, and runs that take milliseconds.

use assert_cmd::Command;
use std::fs;
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

/// An empty directory and the program, to be run in it.
pub fn setup(name: &str) -> (TempDir, Command) {
    let dir = tempfile::Builder::new().prefix(name).tempdir().unwrap();
    let command = program(dir.path());
    (dir, command)
}

/// The program, to be run in `dir`.
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

/// What a program said on stderr.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What a program said on stdout.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A file below `dir`.
pub fn read(dir: &Path, file: &str) -> String {
    fs::read_to_string(dir.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The names in a directory, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = fs::read_dir(dir).unwrap().map(name).collect();
    names.sort();
    names
}

/// Expects that the program refuses: this exit code, these words after `error:`, nothing on stdout, nothing written.
pub fn refuses(dir: &Path, arguments: &[&str], code: i32, words: &[&str]) {
    let before = names(dir);
    let output = program(dir).args(arguments).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    let error = said.find("error: ").unwrap_or_else(|| panic!("{arguments:?}: no error in {said}"));
    for word in words {
        assert!(said[error..].contains(word), "{arguments:?}: no `{word}` in {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(stdout(&output), "", "{arguments:?}");
    assert_eq!(names(dir), before, "{arguments:?} has left something");
}
