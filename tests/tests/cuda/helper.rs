//! Helpers of the tests: runs that take a second on an emulated GPU, and expected errors.

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

/// Options of a run of two epochs of three steps, on a network with few channels.
pub const TINY: &[&str] = &[
    "--data=synthetic",
    "--set=data.synthetic.samples=60",
    "--set=data.synthetic.size=8",
    "--limit-train=24",
    "--batch-size=8",
    "--set=eval.images=8",
    "--epochs=2",
    "--width=4",
    "--cells=1",
    "--probes=2",
    "--interval=1",
    "--progress=none",
];

/// A command that runs the program in `dir`, for at most two minutes.
pub fn program(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nas-train-extended"));
    command.current_dir(dir).timeout(std::time::Duration::from_secs(120));
    command
}

/// Runs [`TINY`] with further options into `dir/out`, and expects success.
pub fn tiny(dir: &Path, out: &str, options: &[&str]) {
    let output = program(dir).args(TINY).args(["--out", out]).args(options).output().unwrap();
    assert!(output.status.success(), "{options:?}: {}", stderr(&output));
}

/// The standard error of a finished program.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The content of a file below `dir`.
pub fn read(dir: &Path, file: &str) -> String {
    fs::read_to_string(dir.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The loss of each step of a run.
pub fn losses(dir: &Path, out: &str) -> Vec<f64> {
    let text = read(dir, &format!("{out}/metrics.csv"));
    let loss = |line: &str| line.split_once(",train,loss,").map(|(_, loss)| loss.parse().unwrap());
    text.lines().filter_map(loss).collect()
}

/// Whether the GPU is emulated, so that faults can be injected.
pub fn emulated() -> bool {
    std::env::var_os("CUDA_EMULATED").is_some()
}

/// Runs [`TINY`] on the GPU with variables of the emulator. Expects an error with all `words`.
pub fn fails(dir: &Path, variables: &[(&str, &str)], options: &[&str], code: i32, words: &[&str]) {
    let mut command = program(dir);
    let output = command.args(TINY).args(options).envs(variables.iter().copied()).output().unwrap();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{variables:?} {options:?}: {message}");
    let error = message.lines().find(|line| line.starts_with("error: "));
    let error = error.unwrap_or_else(|| panic!("{variables:?} {options:?}: no error in {message}"));
    for word in words {
        assert!(error.contains(word), "{variables:?} {options:?}: no `{word}` in {error}");
    }
    assert!(!message.contains("panicked"), "{variables:?} {options:?}: {message}");
}

/// The number of allocations on the emulated GPU during a run with these options.
pub fn allocations(dir: &Path, options: &[&str]) -> u64 {
    let counts = dir.join("counts.json");
    let mut command = program(dir);
    let output = command.args(TINY).args(options).env("CUDA_EMU_COUNTS", &counts).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let counts: Value = serde_json::from_str(&fs::read_to_string(counts).unwrap()).unwrap();
    counts["allocations"].as_u64().unwrap()
}
