//! Memory that is exhausted at any allocation is an error with advice, never a panic.

use super::helper::{allocations, emulated, fails};

/// Fails `count` allocations of a run, spread over all of them.
fn exhaust(options: &[&str], count: u64) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let all = allocations(dir, &[options, &["--out=whole"]].concat());
    let first = 1..=12.min(all);
    let later = (1..=count).map(|i| 12 + i * (all - 12) / count).filter(|number| *number <= all);
    for number in first.chain(later) {
        let (out, number) = (format!("--out=out{number}"), number.to_string());
        let options = [options, &[&out]].concat();
        fails(dir, &[("CUDA_EMU_FAIL_ALLOCATION", &number)], &options, 1, &["free memory"]);
    }
}

#[test]
fn training() {
    if emulated() {
        exhaust(&["--space=tiny", "--strategy=ogd", "--device=cuda", "--epochs=1"], 20);
    }
}

#[test]
fn kernels_of_every_kind() {
    if emulated() {
        exhaust(&["--space=nasbench201", "--strategy=fairnas", "--device=cuda", "--epochs=1", "--limit-train=8"], 8);
    }
}
