//! Commands about the program itself: `list`, `describe`, `config example`, help, completions and manual pages.

use super::helper::{names, program, refuses, setup, stdout};
use serde_json::Value;

#[test]
fn list_prints_every_kind_of_component() {
    let (dir, mut command) = setup("list");
    let all = stdout(&command.arg("list").output().unwrap());
    for name in ["plain", "uniform", "last", "nasbench201", "tiny", "digits", "synthetic"] {
        assert!(all.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name} in {all}");
    }
    let spaces = stdout(&program(dir.path()).args(["list", "spaces", "--json"]).output().unwrap());
    let lines: Vec<Value> = spaces.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["type"] == "space" && line["summary"].is_string()));
    assert!(lines.iter().any(|line| line["name"] == "tiny"));
}

#[test]
fn describe_accepts_every_name_of_list() {
    let (dir, mut command) = setup("describe");
    let list = stdout(&command.args(["list", "--json"]).output().unwrap());
    for line in list.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let output = program(dir.path()).args(["describe", entry["name"].as_str().unwrap()]).output().unwrap();
        assert!(output.status.success() && stdout(&output).contains(entry["summary"].as_str().unwrap()), "{entry}");
    }
    let plain = stdout(&program(dir.path()).args(["describe", "plain"]).output().unwrap());
    assert!(
        plain.contains("[strategy]\nname = \"plain\"\n# Number of architectures per step")
            && plain.contains("\npaths = 1\n"),
        "{plain}"
    );
    let space = stdout(&program(dir.path()).args(["describe", "nasbench201"]).output().unwrap());
    assert!(space.contains("15625") && space.contains("edge 3<-2") && space.contains("cifar10_test"), "{space}");
    refuses(dir.path(), &["describe", "nasbench20"], 2, &["did you mean `nasbench201`?"]);
}

#[test]
fn the_example_is_the_default_configuration() {
    let (_dir, mut command) = setup("example");
    let text = stdout(&command.args(["config", "example"]).output().unwrap());
    assert!(text.contains("# epochs = 40") && text.contains("[data.synthetic]"), "{text}");
    let values = |table: toml::Table| table.into_iter().all(|(_, value)| value.is_table());
    assert!(values(text.parse().unwrap()), "every value is commented out in {text}");
}

#[test]
fn help_lists_the_exit_codes_and_completions_and_manual_pages_are_written() {
    let (dir, mut command) = setup("help");
    let help = stdout(&command.arg("--help").output().unwrap());
    for code in [
        "0  success",
        "2  invalid arguments",
        "4  data, a truth table or a file of a run is missing",
        "5  training diverged",
        "130  interrupted",
    ] {
        assert!(help.contains(code), "{code} in {help}");
    }
    let bash = stdout(&program(dir.path()).args(["completions", "bash"]).output().unwrap());
    assert!(bash.contains("--steps-per-arch") && !bash.contains("cluster-task"));
    let values = bash.lines().filter_map(|line| line.trim().strip_prefix("cmd=\"")?.strip_suffix('"'));
    for value in values.filter(|value| !value.is_empty()) {
        assert!(bash.contains(&format!("        {value})\n")), "no case for {value}");
    }
    program(dir.path()).args(["man", "man1"]).assert().success();
    assert!(names(&dir.path().join("man1")).contains(&"nas-train.1".to_string()));
}
