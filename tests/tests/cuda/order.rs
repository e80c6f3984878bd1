//! No result depends on the order in which the threads and blocks of a kernel run.

use super::helper::{TINY, emulated, program, read, stderr};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Trains on an emulated GPU with a variable of the emulator.
fn train(dir: &Path, variable: (&str, &str), out: &str, options: &[&str]) {
    let mut command = program(dir);
    command.args(TINY).args(["--device=cuda", "--out", out]).args(options).env(variable.0, variable.1);
    let output = command.env("CUDA_EMU_COUNTS", format!("{out}.json")).output().unwrap();
    assert!(output.status.success(), "{variable:?} {options:?}: {}", stderr(&output));
}

#[test]
fn any_order_gives_equal_bits() {
    if !emulated() {
        return;
    }
    for options in [["--space=tiny", "--strategy=ogd"], ["--space=nasbench201", "--strategy=fairnas"]] {
        let dir = tempfile::tempdir().unwrap();
        let files = ["forward", "reverse", "7"].map(|order| {
            train(dir.path(), ("CUDA_EMU_ORDER", order), order, &options);
            ["metrics.csv", "weights.safetensors"].map(|file| fs::read(dir.path().join(order).join(file)).unwrap())
        });
        assert!(files[0] == files[1] && files[0] == files[2], "{options:?}");
    }
}

#[test]
fn no_accesses_race() {
    if !emulated() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let small = ["--space=tiny", "--epochs=1", "--limit-train=16", "--probes=0"];
    train(dir.path(), ("CUDA_EMU_RACES", "1"), "races", &small);
    let counts: Value = serde_json::from_str(&read(dir.path(), "races.json")).unwrap();
    let number = |kernel: &Value, key: &str| kernel[key].as_u64().unwrap();
    let kernels = counts["kernels"].as_object().unwrap();
    assert!(kernels.values().any(|kernel| number(kernel, "loads") > 0), "no kernel reports its accesses");
    for (name, kernel) in kernels {
        assert_eq!(number(kernel, "float_atomics"), 0, "{name} adds in the order of its threads");
    }
}
