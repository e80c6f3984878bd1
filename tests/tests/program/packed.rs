//! Packed runs: all commands read them as before. The archive is an ordinary one, which the program `tar` makes here.
#![cfg(unix)]

use super::helper::{SMALL, TINY, names, outcome, program, read, refuses, retrain, setup, stderr, stdout, tiny};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};

/// Packs a finished run as the program does.
fn pack(run: &Path) {
    let outside = ["manifest.json", "result.json", "weights.safetensors", "checkpoints"];
    let inside: Vec<String> = names(run).into_iter().filter(|name| !outside.contains(&name.as_str())).collect();
    let mut command = Command::new("tar");
    command.current_dir(run).args(["--format=ustar", "--remove-files", "-cf", "record.tar"]).args(inside);
    assert!(command.status().unwrap().success());
    fs::remove_dir_all(run.join("checkpoints")).unwrap();
}

fn runs(dir: &Path, arguments: &str) -> Output {
    let output = program(dir).args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", stderr(&output));
    output
}

#[test]
fn commands_read_a_packed_run_as_before() {
    let (dir, _) = setup("packed");
    let dir = dir.path();
    tiny(dir, "out", &["--progress=none"]);
    let commands = |to: &str| {
        let report = runs(dir, &format!("report out --out {to}-page"));
        runs(dir, &format!("search out --budget 4 --out {to}-search"));
        runs(dir, &format!("export out --onnx {to}.onnx --safetensors {to}.safetensors"));
        runs(dir, &format!("--config {to}.toml --init out --epochs 1 --out {to}-next --progress none"));
        runs(dir, &format!("retrain --from out --epochs 1 --out {to}-net --progress none"));
        assert!(!stderr(&report).contains("not shown"), "{}", stderr(&report));
        let front = read(dir, &format!("{to}-search/front.csv"));
        let files =
            [fs::read(dir.join(format!("{to}.onnx"))).unwrap(), outcome(&dir.join(format!("{to}-next"))).0.concat()];
        let evaluated = runs(dir, &format!("evaluate out --archs {to}-search/candidates.csv"));
        let net = fs::read(dir.join(format!("{to}-net/weights.safetensors"))).unwrap();
        (front, files, stdout(&evaluated), net)
    };
    let config = read(dir, "out/config.toml");
    fs::write(dir.join("before.toml"), &config).unwrap();
    fs::write(dir.join("after.toml"), &config).unwrap();
    let before = commands("before");
    pack(&dir.join("out"));
    assert_eq!(names(&dir.join("out")), ["manifest.json", "record.tar", "result.json", "weights.safetensors"]);
    assert_eq!(commands("after"), before);
    assert!(
        read(dir, "after-page/report.html")
            .contains("tar -xf out/record.tar config.toml &amp;&amp; nas-train --config")
    );
    let longer = ["resume", "out", "--epochs=9"];
    refuses(dir, &longer, 2, &["the run in out is packed (record.tar)", "run it again with more --epochs"]);
    refuses(dir, &["resume", "out"], 2, &["the run in out is finished"]);
    refuses(dir, &["--out=out"], 2, &["out is not empty"]);
    assert_eq!(names(&dir.join("out")), ["manifest.json", "record.tar", "result.json", "weights.safetensors"]);
}

#[test]
fn a_packed_training_is_kept_and_exports_its_best_weights() {
    let (dir, _) = setup("packed-net");
    let dir = dir.path();
    let options = [SMALL, &["--arch=21", "--seeds=2", "--progress=none"]].concat();
    retrain(dir, "out", &options);
    let kept = retrain(dir, "out", &options);
    let export = |to: &str| {
        runs(dir, &format!("export out/seed-0 --best --safetensors {to}"));
        fs::read(dir.join(to)).unwrap()
    };
    let best = export("before");
    for seed in ["out/seed-0", "out/seed-1"] {
        pack(&dir.join(seed));
        assert_eq!(names(&dir.join(seed)).len(), 4);
    }
    assert_eq!(retrain(dir, "out", &options), kept);
    assert!(export("after") == best);
    fs::write(dir.join("out/seed-0/best.safetensors"), "other").unwrap();
    let damaged = ["export", "out/seed-0", "--best", "--safetensors=none"];
    refuses(dir, &damaged, 4, &["best.safetensors is incomplete or damaged"]);
}

#[test]
fn a_comparison_keeps_packed_runs_and_repeats_damaged_ones() {
    let (dir, _) = setup("packed-compare");
    let dir = dir.path();
    let compare = || {
        let options =
            "compare --strategies plain,ogd --seeds 1 --sequence 2 --sequence-epochs 1 --out c --progress=plain";
        let output = program(dir).args(options.split_whitespace()).args(TINY).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        (stderr(&output), read(dir, "c/comparison.csv"))
    };
    let (_, figures) = compare();
    for run in ["c/runs/plain-s0", "c/runs/ogd-s0", "c/sequences/plain"] {
        pack(&dir.join(run));
    }
    let metrics = fs::read(dir.join("c/runs/plain-s0/record.tar")).unwrap();
    let (said, kept) = compare();
    assert!(said.contains("2 runs, 2 of them done") && kept == figures, "{said}");
    assert_eq!(fs::read(dir.join("c/runs/plain-s0/record.tar")).unwrap(), metrics);
    // The marker is the first file of the archive.
    let archive = dir.join("c/runs/plain-s0/record.tar");
    File::options().write(true).open(&archive).unwrap().set_len(1500).unwrap();
    refuses(dir, &["export", "c/runs/plain-s0", "--onnx=x"], 4, &["record.tar is incomplete or damaged"]);
    let page = program(dir).args(["report", "c", "--out=page"]).output().unwrap();
    assert!(
        stderr(&page).contains("not shown: c/runs/plain-s0: record.tar is incomplete or damaged"),
        "{}",
        stderr(&page)
    );
    let (said, repeated) = compare();
    assert!(said.contains("c/runs/plain-s0 is repeated: record.tar is incomplete or damaged"), "{said}");
    assert!(repeated == figures && !archive.exists());
    assert!(names(&dir.join("c/runs/plain-s0")).contains(&".compare-run".into()));
}
