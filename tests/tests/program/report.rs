//! The HTML report of comparisons and of single runs.

use super::helper::{TINY, names, program, read, refuses, setup, stderr, stdout, tiny};
use std::fs;
use std::path::Path;

/// Compares two strategies with further options.
fn compare(dir: &Path, options: &str) {
    let options = format!("--strategies plain,ogd --seeds 2 {options}");
    let output = program(dir).arg("compare").args(TINY).args(options.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

/// The text of a report, with ordinary spaces and without marks where a label may break.
pub fn page_text(dir: &Path, file: &str) -> String {
    read(dir, file).replace('\u{a0}', " ").replace("<wbr>", "")
}

/// Asserts that a page loads no other file, and that it closes its elements.
pub fn assert_self_contained(page: &str) {
    for outside in ["http:", "https:", "src=", "@import", "url(", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for tag in ["html", "body", "table", "figure", "svg", "div", "p"] {
        let count = |start: &str| {
            page.matches(&format!("{start}{tag}>")).count() + page.matches(&format!("{start}{tag} ")).count()
        };
        assert_eq!(count("<"), count("</"), "{tag}");
    }
}

#[test]
fn a_comparison_has_a_report_that_can_be_repeated() {
    let (dir, _) = setup("report");
    let dir = dir.path();
    compare(
        dir,
        "--sequence 2 --sequence-epochs 1 --out c --controller=reinforce --controller-start=1 --set=controller.samples=4",
    );
    let page = page_text(dir, "c/report.html");
    assert_self_contained(&page);
    for part in [
        "<h2>Summary</h2>",
        "<h2>Further figures</h2>",
        "Paired differences to plain",
        "Disturbance matrix of ogd",
        "Rank stability",
        "Fairness: sub-net passes per choice",
        "Reward of the controller",
        "Selected architecture of plain",
        "Time of a run",
        "2 seeds are too few to conclude",
        "prefers-color-scheme: dark",
        "@media print",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let data = names(&dir.join("c/figures"));
    for file in ["disturbance.csv", "matrix_1.csv", "selected_0.csv", "fairness.csv", "time.csv"] {
        assert!(data.contains(&file.to_string()), "{file} in {data:?}");
    }
    let again = program(dir).args(["report", "c"]).output().unwrap();
    assert_eq!(stdout(&again), "c/report.html\n", "{}", stderr(&again));
    let table = |page: &str| page[page.find("<table").unwrap()..page.find("<h2>Pictures").unwrap()].to_owned();
    assert_eq!(table(&page_text(dir, "c/report.html")), table(&page));
}

#[test]
fn a_run_given_twice_counts_once() {
    let (dir, _) = setup("twice");
    let dir = dir.path();
    compare(dir, "--sequence 0 --out a");
    compare(dir, "--sequence 0 --out b --lr 0.01");
    fs::create_dir(dir.join("copy")).unwrap();
    for file in names(&dir.join("a/runs/plain-s0")).into_iter().filter(|name| name != "checkpoints") {
        fs::copy(dir.join("a/runs/plain-s0").join(&file), dir.join("copy").join(&file)).unwrap();
    }
    program(dir).args(["report", "a", "a", "./a/runs/plain-s1", "--out=twice"]).assert().success();
    let page = page_text(dir, "twice/report.html");
    assert!(page.contains("n = 2 seeds") && page.contains("(n = 2)") && !page.contains("Not shown"), "{page}");
    // Runs with other settings under the same label are another variant. A copy of a run is not.
    let output = program(dir).args(["report", "a", "b", "copy", "--out=both"]).output().unwrap();
    assert!(stderr(&output).contains("copy: a/runs/plain-s0 is the same run of plain"), "{}", stderr(&output));
    let page = page_text(dir, "both/report.html");
    for label in ["plain:train.lr=0.05", "plain:train.lr=0.01", "ogd:train.lr=0.01"] {
        assert!(page.contains(&format!("<td>{label}</td>")), "{label}");
    }
    assert!(page.contains("n = 2 seeds") && page.contains("not planned with an equal budget"));
}

#[test]
fn directories_that_cannot_be_shown_are_listed_and_the_others_are_shown() {
    let (dir, _) = setup("broken");
    let dir = dir.path();
    for name in ["good", "unfinished", "torn", "old", "failed"] {
        tiny(dir, name, &["--progress=none"]);
    }
    let replace = |file: &str, from: &str, to: &str| {
        let text = read(dir, file);
        assert!(text.contains(from), "{from} in {text}");
        fs::write(dir.join(file), text.replace(from, to)).unwrap();
    };
    replace("unfinished/manifest.json", "finished", "running");
    replace("failed/manifest.json", "finished", "failed");
    replace("old/manifest.json", "\"schema\": 2", "\"schema\": 1");
    let metrics = read(dir, "torn/metrics.csv");
    fs::write(dir.join("torn/metrics.csv"), &metrics[..metrics.rfind(',').unwrap()]).unwrap();
    fs::create_dir(dir.join("empty")).unwrap();

    let all = ["report", "good", "unfinished", "torn", "old", "failed", "empty", "missing"];
    let output = program(dir).args(all).output().unwrap();
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    let page = page_text(dir, "report/report.html");
    assert_self_contained(&page);
    for (path, problem) in [
        ("unfinished", "the run is unfinished (status running)"),
        ("torn", "metrics.csv is incomplete or damaged"),
        ("old", "manifest.json has schema 1, this version reads schema 2: run it again with this version, or use"),
        ("failed", "the run failed"),
        ("empty", "it has no manifest.json"),
        ("missing", "it does not exist"),
    ] {
        assert!(page.contains(&format!("Not shown: {path}: ")) && page.contains(problem), "{path}: {problem}");
        assert!(said.contains(&format!("{path}: ")) && said.contains(problem), "{said}");
    }
    assert!(page.contains("<td>plain</td>"));
    refuses(dir, &["report", "torn", "missing"], 2, &["none of these directories holds a finished run"]);
    refuses(dir, &["report"], 2, &["required"]);
}

const SEQUENCE: &[&str] = &[
    "--sequence=3",
    "--space=tiny",
    "--limit-train=64",
    "--batch-size=16",
    "--epochs=1",
    "--set=eval.images=40",
    "--out=s",
];

#[test]
fn sequences_have_a_report() {
    let (dir, _) = setup("sequence");
    let mut command = program(dir.path());
    let output = command.arg("disturbance").args(SEQUENCE).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let mut other = program(dir.path());
    let output =
        other.arg("disturbance").args(SEQUENCE).args(["--out=other", "--lr=0.01", "--seed=1"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));

    // Two sequences have different titles.
    program(dir.path()).args(["report", "s", "other", "--out=page"]).assert().success();
    let page = page_text(dir.path(), "page/report.html");
    assert_self_contained(&page);
    assert!(!page.contains("<h2>Summary"));
    for part in [
        "Disturbance matrix of plain:train.lr=0.05",
        "Disturbance matrix of plain:train.lr=0.01",
        "3 architectures of tiny, trained one after another with seed 1, 1 epoch each",
        "Directory: other.",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_eq!(names(&dir.path().join("page/figures")), ["matrix_0.csv", "matrix_1.csv"]);

    // A copy counts once.
    fs::create_dir(dir.path().join("copy")).unwrap();
    for file in names(&dir.path().join("s")).into_iter().filter(|name| name != "checkpoints") {
        fs::copy(dir.path().join("s").join(&file), dir.path().join("copy").join(&file)).unwrap();
    }
    let copied = program(dir.path()).args(["report", "s", "copy", "--out=copies"]).output().unwrap();
    assert!(stderr(&copied).contains("copy: s is the same sequence of plain"), "{}", stderr(&copied));

    // A further report replaces the first one.
    program(dir.path()).args(["report", "s", "--out=page"]).assert().success();
    assert!(page_text(dir.path(), "page/report.html").contains("<b>Disturbance matrix of plain</b>"));
    assert_eq!(names(&dir.path().join("page/figures")), ["matrix_0.csv"]);
}
