//! A run on the GPU that stops and continues has the bytes of one that never stopped.

use super::helper::{allocations, emulated, fails, program, read, stderr, tiny};
use std::fs;
use std::path::Path;

const OPTIONS: &[&str] = &["--space=tiny", "--strategy=ogd", "--device=cuda:0", "--epochs=6", "--checkpoint-every=1"];

/// The files that must be equal.
fn files(dir: &Path, out: &str) -> [Vec<u8>; 3] {
    ["metrics.csv", "archs.csv", "weights.safetensors"].map(|file| fs::read(dir.join(out).join(file)).unwrap())
}

#[test]
fn equal_runs_have_equal_bits() {
    let dir = tempfile::tempdir().unwrap();
    for out in ["one", "two"] {
        tiny(dir.path(), out, OPTIONS);
    }
    assert!(files(dir.path(), "one") == files(dir.path(), "two"));
}

#[test]
fn a_run_without_memory_stays_resumable() {
    if !emulated() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let all = allocations(dir, &[OPTIONS, &["--out=whole"]].concat());
    let late = (all * 9 / 10).to_string();
    let words = ["device cuda:0 has too little free memory; try --batch-size 4, now 8"];
    fails(dir, &[("CUDA_EMU_FAIL_ALLOCATION", &late)], &[OPTIONS, &["--out=stopped"]].concat(), 1, &words);
    assert!(read(dir, "stopped/manifest.json").contains("\"failed\""));
    let output = program(dir).args(["resume", "stopped"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("continues at step "), "{}", stderr(&output));
    assert!(files(dir, "whole") == files(dir, "stopped"));
}
