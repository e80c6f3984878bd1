//! The program has its own components and those of nas-train.

use std::process::{Command, Output};

fn run(arguments: &str) -> Output {
    let program = env!("CARGO_BIN_EXE_my-nas-train");
    Command::new(program).args(arguments.split_whitespace()).output().expect("the program starts")
}

#[test]
fn list_shows_own_components_and_those_of_nas_train() {
    let listed = String::from_utf8_lossy(&run("list").stdout).into_owned();
    for name in ["kernels", "climber", "nasbench201", "uniform", "ogd"] {
        assert!(listed.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name} in {listed}");
    }
}

#[test]
fn a_run_uses_the_own_space_and_the_own_controller() {
    let dir = std::env::temp_dir().join(format!("nas-example-program-{}", std::process::id()));
    let output = run(&format!(
        "--space kernels --controller climber --data synthetic --set data.synthetic.samples=200 \
         --set data.synthetic.size=8 --limit-train 64 --batch-size 16 --set eval.images=40 --epochs 4 --probes 4 \
         --controller-start 2 --json --out {}",
        dir.display()
    ));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::remove_dir_all(dir).expect("the run has written its directory");
    assert!(stdout.contains("\"space\":\"kernels\"") && stdout.contains("\"controller\":\"climber\""), "{stdout}");
    let (_, selected) = stdout.split_once("\"selected\":{\"arch\":\"").expect("an architecture is selected");
    let kernels: Vec<&str> = selected[..5].split('-').collect();
    assert!(kernels.len() == 3 && kernels.iter().all(|k| ["1", "3", "5"].contains(k)), "{stdout}");
}
