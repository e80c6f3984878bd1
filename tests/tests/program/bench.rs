//! `bench`: step times of cases.

use super::helper::{names, refuses, setup, stderr, stdout};
use serde_json::Value;

const SHORT: &[&str] = &["bench", "--steps=2", "--warm-up=1", "--rounds=2", "--width=4"];

#[test]
fn each_case_prints_a_line_with_its_times() {
    let (_dir, mut command) = setup("bench");
    let lists = ["--spaces=tiny", "--strategies=plain,fairnas", "--batch-sizes=4,8", "--thread-counts=1", "--json"];
    let output = command.args(SHORT).args(lists).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let lines: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let cases: Vec<_> = lines.iter().map(|line| (line["strategy"].as_str().unwrap(), line["batch"].as_u64())).collect();
    assert_eq!(cases, [("plain", Some(4)), ("plain", Some(8)), ("fairnas", Some(4)), ("fairnas", Some(8))]);
    for line in &lines {
        assert_eq!((&line["type"], &line["space"]), (&"bench".into(), &"tiny".into()));
        assert_eq!((line["width"].as_u64(), line["threads"].as_u64()), (Some(4), Some(1)));
        assert_eq!((line["steps"].as_u64(), line["rounds"].as_u64()), (Some(2), Some(2)));
        let figure = |name: &str| line[name].as_f64().unwrap();
        assert!(figure("ms_min") <= figure("ms_per_subnet_pass") && figure("ms_per_subnet_pass") <= figure("ms_max"));
        assert!(figure("images_per_s") > 0.0, "{line}");
    }
}

#[test]
fn one_round_of_one_case_prints_a_table_and_writes_no_files() {
    let (dir, mut command) = setup("bench-table");
    let output = command.args(SHORT).args(["--space=tiny", "--rounds=1"]).output().unwrap();
    let table = stdout(&output);
    assert!(output.status.success() && table.starts_with("SPACE") && table.contains("tiny"), "{}", stderr(&output));
    assert_eq!(names(dir.path()), Vec::<String>::new());
}

#[test]
fn invalid_cases_are_rejected_before_the_first_measurement() {
    let (dir, _) = setup("bench-bad");
    let refuse = |options: &[&str], words: &[&str]| refuses(dir.path(), &[SHORT, options].concat(), 2, words);
    refuse(&["--strategies=plain,ogt"], &["ogt", "did you mean `ogd`?"]);
    refuse(&["--batch-sizes=64,0"], &["batch_size"]);
    refuse(&["--spaces="], &["values separated by commas"]);
    refuse(&["--steps=0"], &["at least 1"]);
}
