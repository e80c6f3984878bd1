//! Messages about long and unprintable input: short, and without control characters.

use super::helper::{TINY, program, setup, stderr, stdout};
use std::fs;
use std::path::Path;

/// Runs the program and checks its message: the exit code, at most 1,500 characters, no control characters.
fn refused(dir: &Path, arguments: &[&str], code: i32) -> String {
    let output = program(dir).args(arguments).output().unwrap();
    let message = stderr(&output);
    let start: String = message.chars().take(300).collect();
    assert_eq!(output.status.code(), Some(code), "{start}");
    assert!(message.contains("error: ") && message.chars().count() < 1500, "{}: {start}", message.len());
    assert!(!message.chars().any(|c| c.is_control() && c != '\n'), "{message:?}");
    message
}

#[test]
fn long_and_unprintable_arguments_are_quoted_in_part() {
    let (dir, _) = setup("quotes");
    let long = "\u{1b}[31m".to_owned() + &"x".repeat(10_000);
    for start in [
        "--strategy=",
        "--controller=",
        "--space=",
        "--device=",
        "--truth-samples=",
        "--epochs=",
        "--lr=",
        "--set=",
        "--set=train.",
        "--set=train.epochs=",
        "--set=train.lr_schedule=",
        "--set=truth.samples=",
        "--set=seed=9",
        "--bn=",
        "--",
        "",
    ] {
        refused(dir.path(), &[&format!("{start}{long}")], 2);
        refused(dir.path(), &[&format!("{start}{long}=1")], 2);
    }
    for start in ["", "plain:", "plain:alpha=", "plain,plain:paths="] {
        refused(dir.path(), &["compare", "--strategies", &format!("{start}{long}")], 2);
    }
    refused(dir.path(), &["compare", "--strategies=plain", "--set-for", &long, "a=1"], 2);
    for option in ["--spaces", "--strategies", "--batch-sizes", "--thread-counts"] {
        refused(dir.path(), &["bench", option, &long], 2);
    }
    refused(dir.path(), &["--\u{1b}[31m"], 2);
    refused(dir.path(), &["describe", &long], 2);
    refused(dir.path(), &["plugins", "new", &long], 2);
    refused(dir.path(), &["--plugin", "no\u{1b}[31m.so"], 3);
    refused(dir.path(), &["--config", "no\u{1b}[31m.toml"], 2);
}

#[test]
fn paths_are_printed_in_full_up_to_a_limit() {
    let (dir, _) = setup("paths");
    let path = "x".repeat(100_000);
    for option in ["--config", "--plugin", "--out", "--truth"] {
        let output = program(dir.path()).args(["--space=tiny", option, &format!("{path}.csv")]).output().unwrap();
        let message = stderr(&output);
        assert!(!output.status.success() && message.contains("error: ") && message.len() < 5000, "{}", message.len());
    }
}

#[test]
fn long_and_unprintable_lines_of_files_are_quoted_in_part() {
    let (dir, _) = setup("lines");
    let long = "\u{9b}31m".to_owned() + &"x".repeat(1_000_000);
    let (toml, csv) = (dir.path().join("run.toml"), dir.path().join("truth.csv"));
    for text in [
        format!("[train]\nepochs = {long}\n"),
        format!("[train]\nlr_schedule = '{long}'\n"),
        format!("[train]\n'{long}' = 1\n"),
        format!("[strategy]\nname = '{long}'\n"),
        format!("[strategy]\npaths = '{long}'\n"),
        format!("train = '{long}'\n"),
    ] {
        fs::write(&toml, text).unwrap();
        refused(dir.path(), &["--config=run.toml"], 2);
    }
    for text in [
        format!("{long}\n"),
        format!("arch,accuracy\n{long},50\n"),
        format!("arch,accuracy\n22,{long}\n"),
        format!("arch,seed,accuracy\n22,{long},50\n"),
    ] {
        fs::write(&csv, text).unwrap();
        refused(dir.path(), &["--space=tiny", "--truth=truth.csv"], 4);
    }
    let cells = format!("arch,accuracy\n|{long}~0|+|none~0|none~1|+|none~0|none~1|none~2|,50\n");
    fs::write(&csv, cells).unwrap();
    refused(dir.path(), &["--truth=truth.csv"], 4);
}

#[test]
fn numbers_are_printed_as_the_user_typed_them() {
    let (dir, _) = setup("numbers");
    let diverged = refused(dir.path(), &[TINY, &["--lr=1e300", "--progress=none"]].concat(), 5);
    assert!(diverged.contains("(--lr, now 1e300)"), "{diverged}");
    for (option, words) in [
        ("--set=train.lr=-1e300", "found -1e300"),
        ("--set=train.momentum=1e300", "found 1e300"),
        ("--set=train.epochs=1e300", "epochs = 1e300: invalid type: floating point `1e300`, expected a whole number"),
        ("--set=seed=1e300", "seed = 1e300: invalid type: floating point `1e300`, expected a whole number"),
        ("--set=train.epochs=18446744073709551615", "is out of range; expected at most 1000000"),
        ("--set=seed=18446744073709551615", "expected a whole number of at most 9223372036854775807"),
        ("--controller=reinforce --set=controller.lr=-1e300", "found -1e300"),
        ("--strategy=ogd --set=strategy.alpha_end=-1e300", "found -1e300"),
    ] {
        let arguments: Vec<&str> = TINY.iter().copied().chain(option.split(' ')).collect();
        let message = refused(dir.path(), &arguments, 2);
        assert!(message.contains(words), "{message}");
    }
}

#[test]
#[cfg(unix)]
fn control_characters_of_arguments_are_escaped_everywhere() {
    let (dir, _) = setup("control");
    let dir = dir.path();
    let tiny = |options: &[&str]| program(dir).args(TINY).args(options).output().unwrap();
    let output = tiny(&["--progress=none", "--out=r\u{1b}[31m"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let truth = "truth --space=tiny --data=synthetic --set=data.synthetic.samples=200 --set=data.synthetic.size=8 \
                 --limit-train=64 --batch-size=16 --epochs=1 --samples=1 --seeds=1";
    let truth = || program(dir).args(truth.split_whitespace()).arg("--out=t\u{1b}[31m/t.csv").output().unwrap();
    for output in [
        output,
        tiny(&["--data=pl\u{1b}[31min"]),
        program(dir).args(["report", "r\u{1b}[31m"]).output().unwrap(),
        program(dir).args(["report", "r\u{1b}[31m", "m\u{1b}[31m", "--out=o\u{1b}[31m"]).output().unwrap(),
        truth(),
    ] {
        let text = stdout(&output) + &stderr(&output);
        assert!(text.contains("\\u{1b}[31m") && !text.contains('\u{1b}'), "{text:?}");
    }
}
