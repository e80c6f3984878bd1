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
    write("[data]\nname = \"synthetic\"\ndir = \"images\"\n");
    refuses(dir.path(), &["config", "check", "run.toml"], 2, &["run.toml: ", "data.dir: expected no folder"]);
    write("[truth]\ntable = \"cifar10_tset\"\n");
    refuses(dir.path(), &["config", "check", "run.toml"], 2, &["run.toml: ", "did you mean `cifar10_test`?"]);
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

/// An option that touches a section must not hide that a file or `--set` gives something else than a section.
#[test]
fn something_else_than_a_section_is_refused_with_its_layer() {
    let (dir, _) = setup("sections");
    for (text, words) in [
        (
            "data = \"cifar10\"\n",
            "run.toml: section `data`: expected `[data]` and its keys below it, found \"cifar10\"",
        ),
        (
            "[[train]]\nepochs = 9\n",
            "run.toml: section `train`: expected `[train]` and its keys below it, found `[[train]]`",
        ),
        (
            "strategy = \"ogd\"\n",
            "run.toml: section `strategy`: expected `[strategy]` and its keys below it, found \"ogd\"",
        ),
        ("probes = 3\n", "run.toml: section `probes`: expected `[probes]` and its keys below it, found 3"),
        (
            "[data]\nsynthetic = 3\n",
            "run.toml: section `data`: synthetic = 3: invalid type: integer `3`, expected a section",
        ),
        ("plugins = \"a.so\"\n", "run.toml: plugins = \"a.so\": invalid type"),
    ] {
        fs::write(dir.path().join("run.toml"), text).unwrap();
        let touching = ["--data=digits", "--epochs=1", "--strategy=plain", "--probes=2", "--set=data.synthetic.size=8"];
        refuses(dir.path(), &["--config=run.toml"], 2, &[words]);
        for option in touching {
            refuses(dir.path(), &["--config=run.toml", option], 2, &[words]);
        }
    }
    let set = "--set data=3: section `data`: expected `[data]` and its keys below it, found 3";
    refuses(dir.path(), &["--set=data=3", "--data=digits"], 2, &[set]);
    refuses(dir.path(), &["--set=strategy=ogd", "--strategy=plain"], 2, &["--set strategy=ogd: section `strategy`"]);
    let variant = ["compare", "--strategies=plain:data.synthetic=3:data.synthetic.size=8"];
    refuses(dir.path(), &variant, 2, &["size=8: section `data`: synthetic = 3"]);
}

#[test]
fn keys_and_values_have_a_limited_depth() {
    let (dir, _) = setup("deep");
    let deep = format!("{}a=1", "a.".repeat(20_000));
    let words = ["the key has 20001 parts, expected at most 8"];
    refuses(dir.path(), &["--set", &deep], 2, &words);
    let variant = format!("--strategies=plain:{}a=1", "a.".repeat(50));
    refuses(dir.path(), &["compare", &variant], 2, &["the key has 51 parts, expected at most 8"]);
    refuses(dir.path(), &["compare", "--strategies=plain", "--set-for", "plain", &deep], 2, &words);
    let value = format!("train.lr={}", "[".repeat(20_000));
    refuses(dir.path(), &["--set", &value], 2, &["section `train`: lr = "]);
    // The limits of the parser allow 79 keys of 79 parts inside each other.
    let key = vec!["a"; 79].join(".");
    let nested = (0..79).fold("1".to_owned(), |inner, _| format!("{{{key} = {inner}}}"));
    let words = ["nested too deeply, expected at most 8 levels"];
    refuses(dir.path(), &["--set", &format!("train.lr={nested}")], 2, &words);
    fs::write(dir.path().join("run.toml"), format!("train.lr = {nested}")).unwrap();
    refuses(dir.path(), &["--config=run.toml"], 2, &words);
    refuses(dir.path(), &["config", "check", "run.toml"], 2, &words);
    fs::write(dir.path().join("run.toml"), &deep).unwrap();
    refuses(dir.path(), &["--config=run.toml"], 2, &["run.toml is not TOML: line 1", "recursion limit"]);
}

#[test]
#[cfg(unix)]
fn a_configuration_that_is_no_regular_file_is_refused() {
    let (dir, _) = setup("endless");
    assert!(std::process::Command::new("mkfifo").arg(dir.path().join("pipe.toml")).status().unwrap().success());
    for file in ["/dev/zero", "pipe.toml"] {
        let words = [file, "expected a regular file, found a pipe or a device"];
        refuses(dir.path(), &["--config", file], 2, &words);
        refuses(dir.path(), &["config", "check", file], 2, &words);
    }
    fs::File::create(dir.path().join("large.toml")).unwrap().set_len(1 << 40).unwrap();
    refuses(dir.path(), &["--config=large.toml"], 2, &["expected at most 16000000 bytes"]);
}
