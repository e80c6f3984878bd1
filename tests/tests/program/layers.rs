//! Configurations: the priority of their layers, and errors in files.

use super::helper::{refuses, setup, stdout};
use std::fs;

#[test]
fn config_show_prints_each_value_with_its_origin() {
    let (dir, mut command) = setup("layers");
    fs::write(dir.path().join("run.toml"), "seed = 1\n[train]\nepochs = 3\nlr = 0.3\nbatch_size = 9\n").unwrap();
    let options = "config show --config run.toml --set train.epochs=4 --set train.lr=0.4 --lr 0.5";
    let output = command.args(options.split_whitespace()).output().unwrap();
    let text = stdout(&output);
    for line in [
        "seed = 1 # run.toml",
        "batch_size = 9 # run.toml",
        "epochs = 4 # --set",
        "lr = 0.5 # --lr",
        "momentum = 0.9 # default",
        "paths = 1 # default",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    toml::from_str::<toml::Table>(&text).unwrap();
}

#[test]
fn errors_in_a_file_name_the_file() {
    let (dir, _) = setup("file");
    let write = |text: &str| fs::write(dir.path().join("run.toml"), text).unwrap();
    write("[train]\nepoch = 3\n");
    let words = ["run.toml: unknown option `train.epoch`, did you mean `epochs`?"];
    refuses(dir.path(), &["--config=run.toml"], 2, &words);
    refuses(dir.path(), &["config", "check", "run.toml"], 2, &words);
    write("[train\nepochs = 3\n");
    refuses(dir.path(), &["--config=run.toml"], 2, &["run.toml is not TOML", "line 1"]);
    write("[train]\nepochs = \"three\"\n");
    refuses(dir.path(), &["--config=run.toml"], 2, &["run.toml: section `train`: epochs = \"three\": invalid type"]);
    refuses(dir.path(), &["--config=missing.toml"], 2, &["missing.toml", "No such file"]);
    write("[strategy]\nname = \"plain\"\npaths = 0\n");
    refuses(dir.path(), &["config", "check", "run.toml"], 2, &["run.toml: ", "strategy.paths", "expected 1 to 1024"]);
}

#[test]
fn a_valid_file_passes_the_check() {
    let (dir, mut command) = setup("check");
    fs::write(dir.path().join("run.toml"), "[truth]\nsamples = 5\n[strategy]\npaths = 3\n").unwrap();
    command
        .args(["config", "check", "run.toml"])
        .assert()
        .success()
        .stderr("run.toml: all keys, names and values are valid; the data was not read\n");
}
