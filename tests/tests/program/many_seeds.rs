//! More than a hundred seeds: the runs of each further hundred are in a subdirectory.

use super::helper::{SMALL, TINY, program, read, read_json, retrain, setup, stderr, stdout};
use serde_json::Value;
use std::fs;
use std::path::Path;

fn json(dir: &Path, file: &str) -> Value {
    read_json(dir, file)
}

/// Copies a run as that of another seed. Manifests of earlier versions have no hashes.
fn copy(dir: &Path, from: &str, to: &str, seed: u64) {
    fs::create_dir_all(dir.join(to)).unwrap();
    for file in ["metrics.csv", "archs.csv"] {
        fs::copy(dir.join(from).join(file), dir.join(to).join(file)).unwrap();
    }
    let config = read(dir, &format!("{from}/config.toml")).replacen("seed = 0\n", &format!("seed = {seed}\n"), 1);
    fs::write(dir.join(to).join("config.toml"), config).unwrap();
    let (mut manifest, mut result) =
        (json(dir, &format!("{from}/manifest.json")), json(dir, &format!("{from}/result.json")));
    manifest.as_object_mut().unwrap().remove("files").unwrap();
    result["seed"] = seed.into();
    fs::write(dir.join(to).join("manifest.json"), manifest.to_string()).unwrap();
    fs::write(dir.join(to).join("result.json"), result.to_string()).unwrap();
}

#[test]
fn a_comparison_of_many_seeds_has_subdirectories() {
    let (dir, _) = setup("seeds");
    let dir = dir.path();
    let compare = |seeds: &str| {
        let options =
            ["compare", "--strategies=plain", "--sequence=0", "--out=c", "--progress=plain", "--seeds", seeds];
        let short = ["--set=train.max_steps=1", "--set=truth.samples=0", "--probes=0"];
        let output = program(dir).args(options).args(TINY).args(short).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    compare("1");
    for seed in 1..100 {
        copy(dir, "c/runs/plain-s0", &format!("c/runs/plain-s{seed}"), seed);
    }
    // A run of an earlier version, which had no subdirectories.
    copy(dir, "c/runs/plain-s0", "c/runs/plain-s101", 101);
    let said = compare("102");
    assert!(said.contains("102 runs, 101 of them done"), "{said}");
    assert!(dir.join("c/runs/100/plain-s100/result.json").exists() && !dir.join("c/runs/plain-s100").exists());
    assert!(!dir.join("c/runs/100/plain-s101").exists());
    let comparison = json(dir, "c/comparison.json");
    let runs = comparison["strategies"][0]["runs"].as_array().unwrap();
    assert_eq!([&runs[99], &runs[100], &runs[101]], ["plain-s99", "100/plain-s100", "plain-s101"]);
    let output = program(dir).args(["report", "c", "--out=page"]).output().unwrap();
    assert!(output.status.success() && !stderr(&output).contains("not shown"), "{}", stderr(&output));
    let rows = read(dir, "page/figures/time.csv");
    assert!(rows.contains("\nplain,100,") && rows.contains("\nplain,101,"), "{rows}");
}

#[test]
fn trainings_of_many_seeds_are_read_from_subdirectories() {
    let (dir, _) = setup("seeds-net");
    let dir = dir.path();
    retrain(dir, "out", &[SMALL, &["--arch=21", "--seeds=2", "--epochs=1", "--progress=none"]].concat());
    fs::create_dir(dir.join("out/100")).unwrap();
    fs::rename(dir.join("out/seed-1"), dir.join("out/100/seed-1")).unwrap();
    let output = program(dir).args(["report", "out", "--out=page"]).output().unwrap();
    assert!(output.status.success() && stderr(&output).is_empty(), "{}", stderr(&output));
    assert!(stdout(&output).contains("page/report.html"));
    let page = read(dir, "page/report.html");
    assert!(page.contains("<td>0, 1</td>"), "the seeds of the training");
}
