//! Export, evaluation and stand-alone training of a run on the GPU.

use super::helper::{TINY, program, read, stderr, tiny};
use rten::{Model, Value as Tensor};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Runs the program and returns what it prints.
fn run(dir: &Path, arguments: &[&str]) -> String {
    let output = program(dir).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Class scores of an exported network for four images.
fn scores(file: &Path) -> Vec<f32> {
    let model = Model::load(fs::read(file).unwrap()).unwrap();
    let images: Vec<f32> = (0..4 * 3 * 8 * 8).map(|i| (i * 7919 % 401) as f32 / 100.0 - 2.0).collect();
    let scores = model.run_one(Tensor::from_shape([4, 3, 8, 8], images).unwrap().into(), None).unwrap();
    scores.into_shape_vec::<f32, 2>().unwrap().1
}

#[test]
fn exported_networks_agree_with_those_of_the_cpu() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let [gpu, cpu] = [("gpu", "--device=cuda:0"), ("cpu", "--device=cpu")].map(|(out, device)| {
        tiny(dir, out, &["--space=tiny", device]);
        let onnx = format!("{out}.onnx");
        run(dir, &["export", out, "--arch=21", "--onnx", &onnx]);
        scores(&dir.join(onnx))
    });
    assert!(gpu.len() == cpu.len() && gpu.iter().any(|score| (score - gpu[0]).abs() > 0.1), "{gpu:?}");
    // The losses of six steps differ by up to 1e-3, hence the weights too.
    for (gpu, cpu) in gpu.iter().zip(&cpu) {
        assert!((gpu - cpu).abs() < 5e-3 * (1.0 + cpu.abs()), "{gpu} instead of {cpu}");
    }
}

#[test]
fn stand_alone_training_agrees_with_the_cpu() {
    let dir = tempfile::tempdir().unwrap();
    let loss = |device: &str| -> f64 {
        let mut arguments = vec!["retrain", "--space=tiny", "--arch=21", "--json", "--device", device, "--out", device];
        let of_supernets = ["--probes", "--interval", "--set=eval.images"];
        let is_used = |option: &&&str| !of_supernets.iter().any(|name| option.starts_with(name));
        arguments.extend(TINY.iter().filter(is_used));
        let result: Value = serde_json::from_str(&run(dir.path(), &arguments)).unwrap();
        result["train_loss"].as_f64().unwrap_or_else(|| panic!("{result}"))
    };
    let (cpu, gpu) = (loss("cpu"), loss("cuda"));
    assert!((gpu / cpu - 1.0).abs() < 1e-3, "{gpu} instead of {cpu}");
}

#[test]
fn an_evaluation_repeats_the_accuracy_of_the_run() {
    let dir = tempfile::tempdir().unwrap();
    tiny(dir.path(), "run", &["--space=tiny", "--device=cuda:0"]);
    let result: Value = serde_json::from_str(&read(dir.path(), "run/result.json")).unwrap();
    let selected = &result["selected"];
    let arch = selected["arch"].as_str().unwrap();
    let again: Value = serde_json::from_str(&run(dir.path(), &["evaluate", "run", "--arch", arch, "--json"])).unwrap();
    assert_eq!(again["accuracy"], selected["valid_accuracy"], "{selected} {again}");
}
