//! Finished runs whose files were damaged: a comparison repeats them, and a report does not show them. Numbers of any
//! size are drawn.

use super::helper::{TINY, program, read, read_json, setup, stderr, tiny};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

const RUN: &str = "c/runs/plain-s0";

fn compare(dir: &Path) -> String {
    let options = "compare --strategies plain --seeds 2 --sequence 0 --out c --progress=plain";
    let output = program(dir).args(options.split_whitespace()).args(TINY).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

fn report(dir: &Path, options: &[&str]) -> Output {
    program(dir).arg("report").args(options).output().unwrap()
}

/// The lines of a text for which `keep` holds; the header has number 0.
fn lines(text: &str, keep: impl Fn(usize, &str) -> bool) -> String {
    let kept = text.lines().enumerate().filter(|(number, line)| keep(*number, line));
    kept.map(|(_, line)| format!("{line}\n")).collect()
}

#[test]
fn a_file_that_lost_or_changed_content_is_noticed() {
    let (dir, _) = setup("damaged");
    let dir = dir.path();
    compare(dir);
    let (figures, manifest) = (read(dir, "c/comparison.csv"), read(dir, "c/runs/plain-s1/manifest.json"));
    let rows = read(dir, &format!("{RUN}/metrics.csv")).lines().count() - 1;
    let recorded = read_json(dir, &format!("{RUN}/manifest.json"));
    assert_eq!(recorded["files"]["metrics.csv"]["rows"], rows);
    assert_eq!(recorded["files"].as_object().unwrap().len(), 7, "{recorded}");

    let text = |file: &str| read(dir, &format!("{RUN}/{file}"));
    let (metrics, archs, timings, result) =
        (text("metrics.csv"), text("archs.csv"), text("timings.csv"), text("result.json"));
    let lost = format!("it has {} rows, the run wrote {rows}", rows - 11);
    for (file, damaged, problem) in [
        ("metrics.csv", lines(&metrics, |number, _| !(10..=20).contains(&number)), lost.as_str()),
        ("metrics.csv", lines(&metrics, |_, line| !line.contains(",probe,")), "rows, the run wrote"),
        ("metrics.csv", lines(&metrics, |number, _| number == 0 || number == rows), "it has 1 rows, the run wrote"),
        ("metrics.csv", metrics.replacen(",train,loss,", ",train,loss,1", 1), "its content differs"),
        ("metrics.csv", metrics.replacen(",train,loss,", ",train,loss,x", 1), "line: 2"),
        ("archs.csv", lines(&archs, |_, line| !line.contains(",probe,")), "rows, the run wrote"),
        ("timings.csv", lines(&timings, |number, _| number != 1), "rows, the run wrote"),
        ("result.json", result.replace("\"subnet_passes\": 12", "\"subnet_passes\": 13"), "its content differs"),
        ("result.json", result.replace("\"subnet_passes\"", "\"passes\""), "its content differs"),
        ("log.jsonl", "{}\n".into(), "its content differs"),
    ] {
        assert_ne!(damaged, text(file), "{file}: {problem}");
        fs::write(dir.join(RUN).join(file), damaged).unwrap();
        let output = report(dir, &["c", "--out=page"]);
        for (prefix, said) in
            [(format!("not shown: {RUN}: "), stderr(&output)), (format!("{RUN} is repeated: "), compare(dir))]
        {
            let expected = format!("{prefix}{file} is incomplete or damaged: ");
            assert!(said.contains(&expected) && said.contains(problem), "no {expected} and {problem} in {said}");
        }
        assert!(output.status.success());
        assert_eq!(read(dir, "c/comparison.csv"), figures);
    }
    assert_eq!(read(dir, "c/runs/plain-s1/manifest.json"), manifest);
}

#[test]
fn a_finished_run_without_its_configuration_is_repeated() {
    let (dir, _) = setup("config");
    let dir = dir.path();
    compare(dir);
    let figures = read(dir, "c/comparison.csv");
    let path = dir.join(RUN).join("config.toml");
    let text = fs::read_to_string(&path).unwrap();
    let cut = text.find("lr = ").unwrap();
    let whole_lines = &text[..text[..cut].rfind('\n').unwrap() + 1];
    for (damaged, problem) in [
        (None, "config.toml is missing"),
        (Some(""), "config.toml is incomplete or damaged: it is empty"),
        (Some(&text[..cut + 4]), "config.toml is incomplete or damaged: line "),
        (Some(whole_lines), "config.toml is incomplete or damaged: its content differs"),
        (Some("colour = 1\n"), "config.toml is incomplete or damaged: its content differs"),
    ] {
        fs::remove_file(&path).unwrap();
        if let Some(damaged) = damaged {
            fs::write(&path, damaged).unwrap();
        }
        let said = compare(dir);
        assert!(said.contains(&format!("{RUN} is repeated: {problem}")), "{problem} in {said}");
        assert_eq!(
            (fs::read_to_string(&path).unwrap(), read(dir, "c/comparison.csv")),
            (text.clone(), figures.clone())
        );
    }
}

/// Removes from a run what versions without row counts and hashes did not write.
fn as_before(dir: &Path, run: &str) {
    let file = format!("{run}/manifest.json");
    let mut manifest = read_json(dir, &file);
    for key in ["files", "tensorboard"] {
        manifest.as_object_mut().unwrap().remove(key).unwrap();
    }
    fs::write(dir.join(file), manifest.to_string()).unwrap();
    let _ = fs::remove_file(dir.join(run).join(".compare-run"));
}

#[test]
fn finished_runs_of_the_version_before_are_kept() {
    let (dir, _) = setup("before");
    let dir = dir.path();
    compare(dir);
    for run in ["c/runs/plain-s0", "c/runs/plain-s1"] {
        as_before(dir, run);
    }
    assert!(compare(dir).contains("2 runs, 2 of them done"));
    assert!(report(dir, &["c"]).status.success());
}

/// Asserts that a page was written whose drawings have finite coordinates.
fn assert_drawn(dir: &Path, output: &Output) {
    assert!(output.status.success(), "{}", stderr(output));
    let page = read(dir, "page/report.html");
    for drawing in page.split("<svg").skip(1).map(|rest| &rest[..rest.find("</svg>").unwrap()]) {
        assert!(!drawing.contains("NaN") && !drawing.contains("inf\"") && !drawing.contains("inf "), "{drawing}");
    }
}

#[test]
fn a_run_that_diverges_late_has_a_report() {
    let (dir, _) = setup("late");
    let dir = dir.path();
    tiny(dir, "out", &["--lr=1e12", "--set=train.max_steps=3", "--progress=none"]);
    let losses = read(dir, "out/metrics.csv");
    let largest = losses.lines().filter_map(|line| line.split(",train,loss,").nth(1)?.parse().ok()).fold(0.0, f64::max);
    assert!(largest > 1e10, "{losses}");
    assert_drawn(dir, &report(dir, &["out", "--out=page"]));
    let options = "compare --strategies plain --seeds 1 --sequence 0 --out c --lr 1e12 --set train.max_steps=3";
    let output = program(dir).args(options.split_whitespace()).args(TINY).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn numbers_of_any_size_are_drawn() {
    let (dir, _) = setup("numbers");
    let dir = dir.path();
    tiny(dir, "out", &["--progress=none"]);
    as_before(dir, "out");
    let (result, metrics) = (read(dir, "out/result.json"), read(dir, "out/metrics.csv"));
    let huge = ["1e17", "1e38", "1.7e308", "-1.7e308", "5e-324", "0"];
    for number in huge.into_iter().chain(["inf", "-inf", "NaN"]) {
        let rows = metrics.lines().enumerate().map(|(line, row)| match row.rsplit_once(',') {
            Some((start, _)) if line % 3 == 1 => format!("{start},{number}\n"),
            _ => format!("{row}\n"),
        });
        fs::write(dir.join("out/metrics.csv"), rows.collect::<String>()).unwrap();
        assert_drawn(dir, &report(dir, &["out", "--out=page"]));
    }
    fs::write(dir.join("out/metrics.csv"), metrics).unwrap();
    let change = |pointers: &[&str], number: &str| {
        let mut changed: Value = serde_json::from_str(&result).unwrap();
        for pointer in pointers {
            *changed.pointer_mut(pointer).unwrap() = serde_json::from_str(number).unwrap();
        }
        fs::write(dir.join("out/result.json"), changed.to_string()).unwrap();
        assert_drawn(dir, &report(dir, &["out", "--out=page"]));
    };
    for number in huge {
        change(&["/fairness/mean", "/wall_s", "/train_s", "/train_loss", "/probes/mean_accuracy"], number);
    }
    change(&["/fairness/mean"], "0");
    for count in ["1000000000", "18446744073709551615", "0"] {
        change(&["/fairness/counts/0/0", "/fairness/max", "/subnet_passes", "/seed", "/selected/params"], count);
    }
    fs::write(dir.join("out/result.json"), result.replace("\"wall_s\": ", "\"wall_s\": 1e999")).unwrap();
    let output = report(dir, &["out", "--out=page"]);
    assert!(
        stderr(&output).contains("not shown: out: result.json is incomplete or damaged: number out of range at line")
    );
}
