//! `truth`: making a table, resuming it, and comparing a run with it.

use super::helper::{program, read, refuses, setup, stderr, stdout, tiny};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Arguments for a table of the space `tiny`, in which a training takes milliseconds.
const TRUTH: &str = "truth --space=tiny --data=synthetic --set=data.synthetic.samples=200 --set=data.synthetic.size=8 \
                     --limit-train=64 --batch-size=16 --epochs=2 --out=t/truth.csv";

fn truth(dir: &Path, options: &str) -> String {
    let arguments = TRUTH.split_whitespace().chain(options.split_whitespace());
    let output = program(dir).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

fn refused(dir: &Path, options: &str, words: &[&str]) {
    let arguments: Vec<&str> = TRUTH.split_whitespace().chain(options.split_whitespace()).collect();
    refuses(dir, &arguments, 2, words);
}

#[test]
fn a_resumed_table_has_the_rows_of_a_table_made_at_once() {
    let (dir, _) = setup("truth");
    let dir = dir.path();
    truth(dir, "--samples=3 --seeds=1 --jobs=2");
    let some = read(dir, "t/truth.csv");
    assert_eq!(some.lines().count(), 1 + 3);
    // Resuming makes the incomplete last row and the missing seeds.
    fs::write(dir.join("t/truth.csv"), &some[..some.len() - 4]).unwrap();
    assert!(truth(dir, "--samples=3 --seeds=1").contains(" 3, 3\n"));
    assert_eq!(read(dir, "t/truth.csv"), some);
    assert!(read(dir, "t/truth.toml").starts_with("# nas-train truth --space=tiny"));

    let summary: Value = serde_json::from_str(&truth(dir, "--samples=all --seeds=2 --json")).unwrap();
    assert_eq!((&summary["type"], &summary["n"], &summary["trainings"]), (&"truth".into(), &9.into(), &18.into()));
    fs::rename(dir.join("t/truth.csv"), dir.join("continued.csv")).unwrap();
    truth(dir, "--samples=all --seeds=2 --jobs=1 --threads=2");
    let sorted = |text: String| {
        let mut rows: Vec<String> = text.lines().map(Into::into).collect();
        rows.sort();
        rows
    };
    assert_eq!(sorted(read(dir, "continued.csv")), sorted(read(dir, "t/truth.csv")));
}

#[test]
fn a_run_is_compared_with_the_table() {
    let (dir, _) = setup("compared");
    truth(dir.path(), "--samples=all --seeds=2");
    let options = ["--truth=t/truth.csv", "--truth-samples=all", "--json"];
    let output = tiny(dir.path(), "out", &options);
    let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let found = &result["truth"];
    assert_eq!((&found["table"], &found["n"]), (&"t/truth.csv".into(), &9.into()));
    assert!(found["gt_tau"].is_number() && result["selected"]["truth"].is_number(), "{result}");
}

#[test]
fn invalid_options_and_tables_are_rejected() {
    let (dir, _) = setup("misfit");
    refused(dir.path(), "--samples=10", &["--samples: expected `all` or 1 to 9, the architectures of space tiny"]);
    refused(dir.path(), "--seeds=0", &["--seeds"]);
    refused(dir.path(), "--samples=some", &["expected a number or `all`"]);
    refuses(dir.path(), &["truth", "--space=tiny"], 2, &["`truth` requires --out FILE.csv"]);

    truth(dir.path(), "--samples=1");
    refused(dir.path(), "--samples=1 --lr=0.2", &["train.lr (0.05, now 0.2)", "another --out"]);
    let table = read(dir.path(), "t/truth.csv");
    fs::write(dir.path().join("t/truth.csv"), "arch,accuracy\n").unwrap();
    refused(dir.path(), "--samples=1", &["expected the header arch,seed,accuracy"]);
    let row = table.lines().last().unwrap();

    let run = |name: &str, text: &str, words: &[&str]| {
        fs::write(dir.path().join(name), text).unwrap();
        let arguments = ["--space=tiny", "--data=digits", "--truth", name, "--truth-samples=all", "--limit-train=64"];
        refuses(dir.path(), &arguments, 4, words);
    };
    run("twice.csv", &format!("{table}{row}\n"), &["twice.csv", "line 3", "is already in line 2"]);
    run("archs.csv", "epoch,purpose,arch,accuracy\n0,probe,0,50\n", &["accuracies with shared weights"]);
    run("other.csv", "arch,accuracy\n|none~0|,50\n", &["'|none~0|' is not an architecture of space tiny"]);
    run("unknown.csv", "arch,accuracy\n99,50\n", &["line 2: '99' is not an architecture of space tiny"]);
    refuses(dir.path(), &["--truth=missing.csv"], 4, &["cannot read the truth table missing.csv"]);
}

#[test]
fn a_configuration_beside_a_new_table_is_not_overwritten() {
    let (dir, _) = setup("beside");
    let dir = dir.path();
    fs::create_dir(dir.join("t")).unwrap();
    let mine = "seed = 0\n[train]\nlr = 0.3\n";
    fs::write(dir.join("t/truth.toml"), mine).unwrap();
    refused(dir, "--samples=1", &["t/truth.toml has other settings", "another --out"]);
    assert_eq!(read(dir, "t/truth.toml"), mine);
}

#[test]
fn diverged_training_keeps_the_rows_before() {
    let (dir, _) = setup("diverged");
    let arguments: Vec<&str> = TRUTH.split_whitespace().chain(["--samples=2", "--lr=1e30"]).collect();
    let output = program(dir.path()).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(stderr(&output).contains("training diverged"));
    assert_eq!(read(dir.path(), "t/truth.csv").lines().count(), 1);
}
