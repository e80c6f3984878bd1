//! `truth`: making a table, resuming it, and comparing a run with it.

use super::helper::{TINY, program, read, refuses, setup, stderr, stdout, tiny};
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
    // The figures of a table do not depend on the process that made its rows.
    let three = truth(dir, "--samples=all --seeds=3 --json");
    assert_eq!(truth(dir, "--samples=all --seeds=3 --json"), three);
    let of_two_seeds = |text: String| text.lines().filter(|line| !line.contains(",2,")).map(Into::into).collect();
    let continued: Vec<String> = of_two_seeds(read(dir, "t/truth.csv"));
    fs::remove_file(dir.join("t/truth.csv")).unwrap();
    truth(dir, "--samples=all --seeds=2 --jobs=1 --threads=2");
    let sorted = |mut rows: Vec<String>| {
        rows.sort();
        rows
    };
    assert_eq!(sorted(continued), sorted(of_two_seeds(read(dir, "t/truth.csv"))));
}

#[test]
fn a_run_is_compared_with_the_table() {
    let (dir, _) = setup("compared");
    truth(dir.path(), "--samples=all --seeds=2");
    let options = ["--truth=t/truth.csv", "--truth-samples=all", "--json"];
    let output = tiny(dir.path(), "out", &options);
    let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let found = &result["truth"];
    assert_eq!((&found["table"], &found["n"]), (&"truth.csv".into(), &9.into()));
    assert!(found["gt_tau"].is_number() && result["selected"]["truth"].is_number(), "{result}");
}

#[test]
fn invalid_options_and_tables_are_rejected() {
    let (dir, _) = setup("misfit");
    refused(dir.path(), "--samples=10", &["--samples: expected `all` or 1 to 9, the architectures of space tiny"]);
    refused(dir.path(), "--seeds=0", &["--seeds"]);
    for samples in ["all", "2000000"] {
        let words = ["--samples: expected 1 to 1000000, because space darts has ", samples];
        refused(dir.path(), &format!("--space=darts --samples={samples}"), &words);
    }
    refused(dir.path(), "--samples=some", &["expected a whole number of at least 0, or `all`"]);
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
    for (mine, problem) in [
        ("seed = 0\n[train]\nlr = 0.3\n", "t/truth.toml lacks `space`"),
        ("lr = 0.3\n", "t/truth.toml lacks `seed`"),
        ("seed = ", "t/truth.toml is not TOML"),
    ] {
        fs::write(dir.join("t/truth.toml"), mine).unwrap();
        let words = [problem, "it is not the configuration of a table that `nas-train truth` made", "another --out"];
        refused(dir, "--samples=1", &words);
        assert_eq!(read(dir, "t/truth.toml"), mine);
    }
    fs::remove_file(dir.join("t/truth.toml")).unwrap();
    truth(dir, "--samples=1");
    let whole = read(dir, "t/truth.toml");
    fs::write(dir.join("t/truth.toml"), &whole[..whole.len() - 1]).unwrap();
    refused(dir, "--samples=1", &["t/truth.toml ends within a line", "or it is incomplete; restore it"]);
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

/// A table of the space `tiny` with these accuracies, one for each architecture.
fn table(name: &str, dir: &Path, accuracies: [&str; 9]) {
    let archs = ["00", "01", "02", "10", "11", "12", "20", "21", "22"];
    let rows: String = archs.iter().zip(accuracies).map(|(arch, accuracy)| format!("{arch},{accuracy}\n")).collect();
    fs::write(dir.join(name), format!("arch,accuracy\n{rows}")).unwrap();
}

#[test]
fn accuracies_in_fractions_are_refused_unless_the_configuration_states_the_unit() {
    let (dir, _) = setup("fractions");
    let dir = dir.path();
    let fractions = ["0.724", "0.3", "0.41", "0.552", "0.6", "0.61", "0.7", "0.701", "0.5"];
    table("fractions.csv", dir, fractions);
    table("percent.csv", dir, ["72.4", "30", "41", "55.2", "60", "61", "70", "70.1", "50"]);
    let options = |table: &'static str| ["--space=tiny", "--data=digits", "--truth", table, "--truth-samples=all"];
    let words = ["fractions.csv: no accuracy exceeds 1 (the highest is 0.724)", "--set truth.unit=fraction"];
    refuses(dir, &options("fractions.csv"), 4, &words);
    let set = [&options("percent.csv")[..], &["--set=truth.unit=fraction"]].concat();
    refuses(dir, &set, 4, &["line 2: expected an accuracy as a fraction (truth.unit), from 0 to 1, found 72.4"]);
    refuses(dir, &["--set=truth.unit=promille"], 2, &["truth", "unit = \"promille\"", "`percent` or `fraction`"]);

    let result = |out: &str, options: &[&str]| -> Value {
        let output = tiny(dir, out, &[&["--truth-samples=all", "--json"], options].concat());
        serde_json::from_str(&stdout(&output)).unwrap()
    };
    let percent = result("percent", &["--truth=percent.csv"]);
    let fraction = result("fraction", &["--truth=fractions.csv", "--set=truth.unit=fraction"]);
    assert!(percent["truth"]["regret"].as_f64().unwrap() > 1.0 || percent["truth"]["regret"] == 0.0);
    for key in ["regret", "predicted_best", "gt_tau"] {
        assert_eq!(percent["truth"][key], fraction["truth"][key], "{key}");
    }
}

#[test]
fn a_table_that_mixes_fractions_and_percent_causes_a_warning() {
    let (dir, _) = setup("mixed");
    let dir = dir.path();
    table("mixed.csv", dir, ["72.4", "0.3", "0.41", "0.552", "0.6", "0.61", "0.7", "0.701", "0.5"]);
    table("percent.csv", dir, ["72.4", "0.3", "0.41", "55.2", "60", "61", "70", "70.1", "0.5"]);
    let message = |table: &str| {
        stderr(&tiny(dir, &format!("out-{table}"), &["--truth", table, "--truth-samples=all", "--progress=none"]))
    };
    let mixed = message("mixed.csv");
    assert!(mixed.contains("warning: truth table mixed.csv: 8 of 9 accuracies are at most 1 percent"), "{mixed}");
    assert_eq!(message("percent.csv"), "");
    fs::write(dir.join("semicolon.csv"), "arch;accuracy\n00;50\n").unwrap();
    let words = ["semicolon.csv: line 1: ", "separate the columns by commas"];
    refuses(dir, &["--space=tiny", "--truth=semicolon.csv"], 4, &words);
}

#[test]
fn a_damaged_configuration_beside_a_table_is_refused() {
    let (dir, _) = setup("settings");
    let dir = dir.path();
    table("t.csv", dir, ["50", "51", "52", "53", "54", "55", "56", "57", "58"]);
    let arguments = ["--space=tiny", "--data=digits", "--limit-train=64", "--truth=t.csv", "--truth-samples=all"];
    for (text, problem) in [("[data]\nfingerprint = \"a", "is not TOML"), ("[data]\nfingerprint = 3", "is not text")] {
        fs::write(dir.join("t.toml"), text).unwrap();
        refuses(dir, &arguments, 4, &["t.toml ", problem, "restore it, or remove it"]);
    }
    fs::remove_file(dir.join("t.toml")).unwrap();
    fs::create_dir(dir.join("t.toml")).unwrap();
    refuses(dir, &arguments, 4, &["t.toml cannot be read"]);
}

#[test]
fn architectures_may_be_lists_of_choices() {
    let (dir, _) = setup("lists");
    let text = "arch,accuracy\n\"[0, 1]\",50\n2 1,60\n\"(2,2)\",55\n";
    fs::write(dir.path().join("lists.csv"), text).unwrap();
    let output = tiny(dir.path(), "out", &["--truth=lists.csv", "--truth-samples=all", "--json"]);
    let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(result["truth"]["n"], 3);
    fs::write(dir.path().join("cells.csv"), "arch,accuracy\n\"[0, 3, 1, 2, 4, 0]\",50\n").unwrap();
    let words = ["cells.csv: line 2: ", "expected the names of the operations, found numbers"];
    refuses(dir.path(), &["--truth=cells.csv"], 4, &words);
}

#[test]
#[cfg(unix)]
fn tables_that_are_no_regular_files_are_refused() {
    let (dir, _) = setup("endless");
    let make = |program: &str, arguments: &[&str]| {
        let status = std::process::Command::new(program).args(arguments).current_dir(dir.path()).status();
        assert!(status.unwrap().success());
    };
    make("mkfifo", &["pipe.csv"]);
    make("ln", &["-s", "/dev/zero", "zero.csv"]);
    for file in ["pipe.csv", "zero.csv"] {
        let words = [file, "expected a regular file, found a pipe or a device"];
        refuses(dir.path(), &["--space=tiny", "--truth", file], 4, &words);
    }
    fs::File::create(dir.path().join("large.csv")).unwrap().set_len(1 << 40).unwrap();
    refuses(dir.path(), &["--space=tiny", "--truth=large.csv"], 4, &["expected at most 1000000000 bytes"]);
}

/// A third of the bootstrap resamples of the first table have equal accuracies only, and no tau.
#[test]
fn an_interval_of_gt_tau_contains_it_and_nearly_tied_accuracies_have_none() {
    let (dir, _) = setup("interval");
    let dir = dir.path();
    table("tied.csv", dir, ["50", "50", "50", "50", "50", "50", "50", "50", "60"]);
    table("distinct.csv", dir, ["50", "51", "52", "53", "54", "55", "56", "57", "58"]);
    let rows = |truth: &str, out: &str| -> Vec<Vec<Option<f64>>> {
        let comparison = [
            "compare",
            "--strategies=plain,plain:paths=2",
            "--seeds=2",
            "--sequence=0",
            "--set=probes.single_step_every=0",
        ];
        let options = ["--truth", truth, "--truth-samples=all", "--out", out];
        let output = program(dir).args(comparison).args(TINY).args(options).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let text = read(dir, &format!("{out}/comparison.csv"));
        let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
        let columns = ["mean", "lo", "hi", "difference", "difference_lo", "difference_hi"];
        let places = columns.map(|name| header.iter().position(|column| *column == name).unwrap());
        let rows = text.lines().filter(|row| row.starts_with("plain") && row.contains(",gt_tau,"));
        rows.map(|row| places.map(|place| row.split(',').nth(place).unwrap().parse().ok()).to_vec()).collect()
    };
    for row in rows("tied.csv", "tied") {
        assert_eq!((row[0].is_some(), row[1], row[2], row[4], row[5]), (true, None, None, None, None));
    }
    let distinct = rows("distinct.csv", "distinct");
    for row in &distinct {
        assert!(row[1] <= row[0] && row[0] <= row[2] && row[1].is_some(), "{row:?}");
    }
    assert!(distinct[1][4] <= distinct[1][3] && distinct[1][3] <= distinct[1][5] && distinct[1][4].is_some());
}
