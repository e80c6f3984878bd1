//! `compare` and `report` replace their own files only.

use super::helper::{TINY, names, program, read, refuses, setup, stderr, tiny};
use std::fs;
use std::path::Path;

/// A comparison of one run, in `c`.
fn arguments(out: &str) -> Vec<&str> {
    let comparison = ["compare", "--strategies=plain", "--seeds=1", "--sequence=0", "--out", out];
    comparison.into_iter().chain(TINY.iter().copied()).collect()
}

fn compare(dir: &Path, options: &[&str]) -> String {
    let output = program(dir).args(arguments("c")).args(options).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

#[test]
fn a_comparison_replaces_no_file_of_the_user() {
    let (dir, _) = setup("foreign");
    let dir = dir.path();
    fs::create_dir(dir.join("c")).unwrap();
    for file in ["report.html", "runs.csv", "comparison.csv", "costs.csv", "comparison.json", "step_times.json"] {
        fs::write(dir.join("c").join(file), "{\"mine\": 1}").unwrap();
        let words =
            [&format!("c/{file} exists and is not from an earlier comparison"), "move it, or choose another --out"];
        refuses(dir, &arguments("c"), 2, &words);
        assert_eq!(
            (read(dir, &format!("c/{file}")), names(&dir.join("c"))),
            ("{\"mine\": 1}".into(), vec![file.into()])
        );
        fs::remove_file(dir.join("c").join(file)).unwrap();
    }
    fs::write(dir.join("c/notes.txt"), "mine").unwrap();
    compare(dir, &[]);
    let report = read(dir, "c/report.html");
    assert!(report.contains("<meta name=\"generator\" content=\"nas-train\">"), "{report}");
    // Its own files are replaced, also those of a version without a lock file.
    fs::remove_file(dir.join("c/.lock")).unwrap();
    compare(dir, &[]);
    program(dir).args(["report", "c"]).assert().success();
    assert_eq!(read(dir, "c/notes.txt"), "mine");
}

#[test]
fn a_report_replaces_no_file_of_the_user() {
    let (dir, _) = setup("page");
    let dir = dir.path();
    tiny(dir, "out", &["--progress=none"]);
    fs::create_dir_all(dir.join("ud/figures")).unwrap();
    let report = ["report", "out", "--out=ud"];
    for file in ["ud/report.html", "ud/figures/disturbance.csv"] {
        fs::write(dir.join(file), "mine").unwrap();
        refuses(
            dir,
            &report,
            2,
            &[&format!("{file} exists and is not from an earlier report"), "choose another --out"],
        );
        assert_eq!(read(dir, file), "mine");
        fs::remove_file(dir.join(file)).unwrap();
    }
    fs::write(dir.join("ud/figures/mine.csv"), "mine").unwrap();
    program(dir).args(report).assert().success();
    // A report of an earlier version has no generator.
    let page = read(dir, "ud/report.html").replace("<meta name=\"generator\" content=\"nas-train\">", "");
    fs::write(dir.join("ud/report.html"), page).unwrap();
    program(dir).args(report).assert().success();
    assert!(read(dir, "ud/report.html").contains("generator"));
    assert_eq!(read(dir, "ud/figures/mine.csv"), "mine");
}

#[test]
#[cfg(unix)]
fn an_output_of_a_comparison_that_is_no_directory_is_refused() {
    let (dir, _) = setup("device");
    let dir = dir.path();
    refuses(dir, &arguments("/dev/null"), 2, &["/dev/null is not a directory; choose another --out"]);
    std::os::unix::fs::symlink("missing", dir.join("link")).unwrap();
    refuses(
        dir,
        &arguments("link"),
        2,
        &["link is a symbolic link without a target directory", "choose another --out"],
    );
    fs::write(dir.join("file"), "").unwrap();
    refuses(dir, &arguments("file"), 2, &["file is not a directory"]);
}

#[test]
fn a_comparison_without_progress_prints_only_results() {
    let (dir, _) = setup("silent");
    let lines = compare(dir.path(), &["--progress=plain"]);
    assert!(lines.contains("data set synthetic") && lines.contains("1 run, 0 of them done; c\n"), "{lines}");
    let lines = compare(dir.path(), &["--progress=none"]);
    assert_eq!(lines, "");
}

#[test]
fn runs_with_other_measurements_are_not_joined() {
    let (dir, _) = setup("measurements");
    let dir = dir.path();
    tiny(dir, "one", &["--progress=none"]);
    // Neither the seed and the length, nor a scale that is the default, changes the measurement.
    tiny(dir, "same", &["--progress=none", "--seed=1", "--epochs=2", "--interval=2", "--cells=1", "--strategy=ogd"]);
    program(dir).args(["report", "one", "same"]).assert().success();
    for (option, words) in [
        ("--set=data.train_fraction=0.5", "data.train_fraction is 0.4 in one and 0.5 in other"),
        ("--set=eval.images=30", "eval.images is 40 in one and 30 in other"),
        ("--set=space.width=4", "space.width is "),
    ] {
        tiny(dir, "other", &["--progress=none", option]);
        let words = ["these runs cannot be compared: ", words, "make a report of each"];
        refuses(dir, &["report", "one", "other"], 2, &words);
        fs::remove_dir_all(dir.join("other")).unwrap();
    }
}
