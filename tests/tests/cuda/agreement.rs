//! The GPU computes what the CPU computes, for every strategy, space and controller.
//!
//! Both round differently, since they add in different orders. One pass differs by some 1e-7 of the loss. Each update
//! passes the difference on to the weights and the next pass enlarges it: by the inverse standard deviation of a batch
//! normalisation, or where a value close to zero passes a ReLU on one device only. Six steps stay within 1e-3.

use super::helper::{losses, read, tiny};
use std::path::Path;

/// Largest relative difference of the loss in the first step, and in any step.
const FIRST: f64 = 1e-5;
const ANY: f64 = 1e-3;

/// The architecture of each path, which no rounding may change.
fn architectures(dir: &Path, out: &str) -> Vec<String> {
    let text = read(dir, &format!("{out}/archs.csv"));
    text.lines().filter(|line| line.contains(",train,")).map(|line| line.split(',').take(4).collect()).collect()
}

/// Trains on both devices and compares.
fn agree(options: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for (out, device) in [("cpu", "--device=cpu"), ("gpu", "--device=cuda:0")] {
        tiny(dir, out, &[options, &[device]].concat());
    }
    let (cpu, gpu) = (losses(dir, "cpu"), losses(dir, "gpu"));
    assert!(!cpu.is_empty() && cpu.len() == gpu.len(), "{options:?}");
    assert_eq!(architectures(dir, "cpu"), architectures(dir, "gpu"), "{options:?}");
    for (step, (cpu, gpu)) in cpu.iter().zip(&gpu).enumerate() {
        let difference = (gpu / cpu - 1.0).abs();
        let bound = if step == 0 { FIRST } else { ANY };
        assert!(difference < bound, "{options:?}, step {step}: {gpu} instead of {cpu}");
    }
}

#[test]
fn strategies() {
    for strategy in ["plain", "ogd", "fairnas"] {
        agree(&["--space=tiny", "--strategy", strategy]);
    }
}

#[test]
fn spaces() {
    agree(&["--space=nasbench201", "--width=8"]);
    agree(&["--space=macro"]);
    agree(&["--space=darts", "--cells=3"]);
}

#[test]
fn controllers() {
    let small = ["--set=controller.samples=2", "--controller-start=1", "--space=tiny"];
    agree(&[&small[..], &["--controller=reinforce", "--set=controller.batch=2"]].concat());
    agree(
        &[&small[..], &["--controller=evolution", "--set=controller.population=2", "--set=controller.tournament=2"]]
            .concat(),
    );
}

#[test]
fn statistics_of_evaluations() {
    for mode in ["--bn=recalibrate", "--bn=running"] {
        agree(&["--space=tiny", mode]);
    }
}
