//! Runs that are handed to a scheduler: with the job script alone, and with scripts in place of Slurm's commands.

use crate::helper::{SMALL, TINY, cut, names, program, read, read_json, refuses, setup, stderr, stdout};
use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

pub const COMPARE: &[&str] = &["compare", "--strategies=plain,ogd", "--seeds=2", "--sequence=2", "--sequence-epochs=1"];

pub fn compare(dir: &Path, out: &str, options: &[&str]) -> Output {
    program(dir).args(COMPARE).args(TINY).args(["--out", out]).args(options).output().unwrap()
}

/// Executes all commands of a plan, as `xargs` does.
fn execute(dir: &Path, out: &str) {
    for line in read(dir, &format!("{out}/cluster/commands.txt")).lines() {
        let output = std::process::Command::new("sh").args(["-c", line]).current_dir("/").output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    }
}

/// A directory with commands in place of those of Slurm. `sbatch` executes the tasks at once; with a file `lose-TASK`
/// beside it, it removes the file instead of executing the task, as if the node of the task had died. With a file
/// `hold`, all tasks stay in the queue. With a file `refuse`, it fails.
pub fn fake_slurm(dir: &Path) -> String {
    let bin = dir.join("bin");
    fs::create_dir(&bin).unwrap();
    let sbatch = r#"#!/bin/bash
here=$(dirname "$0")
if [ -e "$here/refuse" ]; then echo "sbatch: error: invalid partition" >&2; exit 1; fi
echo "$*" >> "$here/calls"
for word; do
    case $word in
        --array=*) array=${word#--array=};;
        --output=*) log=${word#--output=};;
        --comment=*) comment=${word#--comment=};;
    esac
done
job=$(wc -l < "$here/calls")
while [ "${1#-}" != "$1" ]; do shift; done
for range in $(echo "${array%%%*}" | tr , ' '); do
    for task in $(seq "${range%-*}" "${range#*-}"); do
        if [ -e "$here/lose-$task" ]; then rm "$here/lose-$task"; continue; fi
        if [ -e "$here/hold" ]; then echo "$job|$task|PENDING|PartitionDown|$comment" >> "$here/queue"; continue; fi
        SLURM_JOB_ID=$((100 + task)) SLURM_ARRAY_JOB_ID=$job SLURM_ARRAY_TASK_ID=$task bash "$@" > "${log/\%a/$task}" 2>&1
    done
done
echo "$job"
"#;
    let scripts = [
        ("sbatch", sbatch),
        ("squeue", "#!/bin/sh\ncat $(dirname $0)/queue 2>/dev/null || true\n"),
        ("scancel", "#!/bin/sh\nrm -f $(dirname $0)/queue\n"),
        ("scontrol", "#!/bin/sh\necho 'MaxArraySize            = 3'\n"),
    ];
    for (name, text) in scripts {
        fs::write(bin.join(name), text).unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    format!("{}:{}", bin.display(), std::env::var("PATH").unwrap())
}

pub fn on_slurm(dir: &Path, path: &str) -> Command {
    let mut command = program(dir);
    command.env("PATH", path);
    command
}

pub const SLURM: &[&str] = &["--cluster=slurm", "--set=cluster.poll_seconds=1"];

#[test]
fn the_commands_of_a_plan_make_the_comparison_of_this_machine() {
    let (dir, _) = setup("cluster-script");
    let local = compare(dir.path(), "local", &[]);
    assert!(local.status.success(), "{}", stderr(&local));
    let output = compare(dir.path(), "there", &["--cluster=script", "--runs-per-task=2"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("has one command for each of 3 tasks"), "{}", stderr(&output));
    execute(dir.path(), "there");
    let merged = program(dir.path()).args(["cluster", "merge", "there"]).output().unwrap();
    assert!(merged.status.success(), "{}", stderr(&merged));
    assert_eq!(read(dir.path(), "there/comparison.csv"), read(dir.path(), "local/comparison.csv"));
    assert_eq!(names(&dir.path().join("there/runs")), names(&dir.path().join("local/runs")));
    let status = program(dir.path()).args(["cluster", "status", "there"]).output().unwrap();
    assert!(stdout(&status).starts_with("6 of 6 runs done"), "{}", stdout(&status));
    // The directory is that of a comparison: on this machine, nothing is left to do.
    let again = compare(dir.path(), "there", &[]);
    assert!(stderr(&again).contains("4 runs, 4 of them done"), "{}", stderr(&again));
}

#[test]
fn a_truth_table_with_a_relative_path_is_found_by_tasks_in_other_directories() {
    let (dir, _) = setup("cluster-truth-file");
    let truth = ["truth", "--samples=9", "--out=table.csv"];
    let table = program(dir.path()).args(truth).args(SMALL).output().unwrap();
    assert!(table.status.success(), "{}", stderr(&table));
    let options = ["--truth=table.csv", "--truth-samples=all", "--sequence=0"];
    assert!(compare(dir.path(), "local", &options).status.success());
    assert!(compare(dir.path(), "there", &[&options[..], &["--cluster=script"]].concat()).status.success());
    execute(dir.path(), "there");
    assert!(program(dir.path()).args(["cluster", "merge", "there"]).output().unwrap().status.success());
    assert_eq!(read(dir.path(), "there/comparison.csv"), read(dir.path(), "local/comparison.csv"));
    let again = compare(dir.path(), "there", &options);
    assert!(stderr(&again).contains("4 runs, 4 of them done"), "{}", stderr(&again));
}

#[test]
fn a_packed_run_has_at_most_four_files() {
    let (dir, _) = setup("cluster-pack");
    assert!(compare(dir.path(), "local", &[]).status.success());
    assert!(compare(dir.path(), "there", &["--cluster=script", "--pack"]).status.success());
    execute(dir.path(), "there");
    for run in names(&dir.path().join("there/runs")) {
        assert!(names(&dir.path().join("there/runs").join(&run)).len() <= 4, "{run}");
    }
    assert!(program(dir.path()).args(["cluster", "merge", "there"]).output().unwrap().status.success());
    assert_eq!(read(dir.path(), "there/comparison.csv"), read(dir.path(), "local/comparison.csv"));
}

#[test]
fn lost_tasks_are_submitted_again_and_a_repeated_command_submits_nothing() {
    let (dir, _) = setup("cluster-slurm");
    let path = fake_slurm(dir.path());
    assert!(compare(dir.path(), "local", &[]).status.success());
    fs::write(dir.path().join("bin/lose-1"), "").unwrap();
    let there =
        || on_slurm(dir.path(), &path).args(COMPARE).args(TINY).args(["--out=there"]).args(SLURM).output().unwrap();
    let output = there();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("1 run is submitted again after a loss"), "{}", stderr(&output));
    assert_eq!(read(dir.path(), "there/comparison.csv"), read(dir.path(), "local/comparison.csv"));
    // Six runs, three to an array, and the lost one.
    let calls = read(dir.path(), "bin/calls");
    assert_eq!(calls.lines().count(), 3, "{calls}");
    assert!(calls.lines().all(|call| call.contains("--job-name=nas-")), "{calls}");
    assert!(there().status.success());
    assert_eq!(read(dir.path(), "bin/calls"), calls);
}

#[test]
fn cancelled_tasks_stay_so_until_they_are_submitted_again() {
    let (dir, _) = setup("cluster-cancel");
    let path = fake_slurm(dir.path());
    assert!(compare(dir.path(), "local", &[]).status.success());
    fs::write(dir.path().join("bin/hold"), "").unwrap();
    let run = |arguments: &[&str]| on_slurm(dir.path(), &path).args(arguments).output().unwrap();
    let there = [COMPARE, TINY, &["--out=there"], SLURM].concat();
    let output = run(&[there.as_slice(), &["--detach"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let status = || stdout(&run(&["cluster", "status", "there"]));
    assert!(status().starts_with("0 of 6 runs done, 6 pending"), "{}", status());
    assert!(status().contains("tasks wait for PartitionDown"), "{}", status());
    let here = compare(dir.path(), "there", &[]);
    assert!(stderr(&here).contains("has runs on a cluster that are not finished"), "{}", stderr(&here));
    assert!(stdout(&run(&["cluster", "cancel", "there"])).contains("tasks that were cancelled: 6"));
    assert!(status().starts_with("0 of 6 runs done, 6 stopped"), "{}", status());
    let calls = read(dir.path(), "bin/calls");
    assert_eq!(run(&there).status.code(), Some(130));
    assert_eq!(read(dir.path(), "bin/calls"), calls);
    fs::remove_file(dir.path().join("bin/hold")).unwrap();
    assert!(stdout(&run(&["cluster", "retry", "there"])).contains("6 runs are submitted again"));
    assert!(run(&["cluster", "merge", "there"]).status.success());
    assert_eq!(read(dir.path(), "there/comparison.csv"), read(dir.path(), "local/comparison.csv"));
}

#[test]
fn stand_alone_trainings_of_several_seeds_are_made_and_continued() {
    let (dir, _) = setup("cluster-retrain");
    let path = fake_slurm(dir.path());
    let options = [&["retrain", "--arch=20", "--seeds=2", "--checkpoint-every=1"], SMALL].concat();
    let local = program(dir.path()).args(&options).args(["--out=local"]).output().unwrap();
    assert!(local.status.success(), "{}", stderr(&local));
    // A training that this machine has left before its end.
    let copied = std::process::Command::new("cp").args(["-r", "local", "there"]).current_dir(dir.path()).status();
    assert!(copied.unwrap().success());
    fs::remove_dir_all(dir.path().join("there/seed-1")).unwrap();
    cut(dir.path(), "there/seed-0");
    let output = on_slurm(dir.path(), &path).args(&options).args(["--out=there"]).args(SLURM).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let table = stdout(&output).replace("there", "local");
    assert!(table.starts_with("2 trainings") && stdout(&local).ends_with(&table), "{table}");
    for seed in ["seed-0", "seed-1"] {
        let weights = |out: &str| fs::read(dir.path().join(out).join(seed).join("weights.safetensors")).unwrap();
        assert!(weights("there") == weights("local"), "{seed}");
    }
    let manifest = read_json(dir.path(), "there/seed-0/manifest.json");
    assert_eq!(manifest["resumes"].as_array().unwrap().len(), 1);
}

#[test]
fn the_rows_of_a_truth_table_are_merged_in_its_order() {
    let (dir, _) = setup("cluster-truth");
    let path = fake_slurm(dir.path());
    let options =
        ["truth", "--samples=5", "--seeds=2", "--space=tiny", "--data=synthetic", "--epochs=1", "--limit-train=32"];
    let local = program(dir.path()).args(options).args(["--out=local.csv"]).output().unwrap();
    assert!(local.status.success(), "{}", stderr(&local));
    let there = || on_slurm(dir.path(), &path).args(options).args(["--out=there.csv"]).args(SLURM).output().unwrap();
    let output = there();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(read(dir.path(), "there.csv"), read(dir.path(), "local.csv"));
    // Rows that are missing in the middle are made again and keep their places.
    let text = read(dir.path(), "there.csv");
    let cut: Vec<&str> = text.lines().enumerate().filter(|(line, _)| *line != 3).map(|(_, line)| line).collect();
    fs::write(dir.path().join("there.csv"), cut.join("\n") + "\n").unwrap();
    assert!(there().status.success());
    assert_eq!(read(dir.path(), "there.csv"), text);
}

#[test]
fn an_unfinished_run_of_this_machine_continues_on_the_cluster() {
    let (dir, _) = setup("cluster-adopt");
    let truth = ["truth", "--samples=9", "--out=table.csv"];
    program(dir.path()).args(truth).args(SMALL).assert().success();
    // On the cluster, the path of the table is absolute.
    let options = ["--checkpoint-every=1", "--truth=table.csv", "--truth-samples=all"];
    assert!(compare(dir.path(), "local", &options).status.success());
    let expected = read(dir.path(), "local/runs/ogd-s0/metrics.csv");
    cut(dir.path(), "local/runs/ogd-s0");
    assert!(compare(dir.path(), "local", &[&options[..], &["--cluster=script"]].concat()).status.success());
    assert!(names(&dir.path().join("local/attempts/runs/ogd-s0"))[0].starts_with("local."));
    assert!(!dir.path().join("local/runs/ogd-s0").exists());
    execute(dir.path(), "local");
    let manifest = read_json(dir.path(), "local/runs/ogd-s0/manifest.json");
    assert_eq!(manifest["resumes"].as_array().unwrap().len(), 1);
    assert_eq!(read(dir.path(), "local/runs/ogd-s0/metrics.csv"), expected);
}

#[test]
fn a_finished_run_that_could_not_be_published_is_not_trained_again() {
    let (dir, _) = setup("cluster-publish");
    let dir = dir.path();
    let options = ["--cluster=script", "--strategies=plain", "--seeds=1", "--sequence=0"];
    program(dir).args(["compare", "--out=there"]).args(TINY).args(options).assert().success();
    fs::write(dir.join("there/runs"), "in the way").unwrap();
    let command = read(dir, "there/cluster/commands.txt");
    let output = std::process::Command::new("sh").args(["-c", command.trim()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let attempts = dir.join("there/attempts/runs/plain-s0");
    let times = fs::read_to_string(attempts.join(&names(&attempts)[0]).join("timings.csv")).unwrap();
    fs::remove_file(dir.join("there/runs")).unwrap();
    execute(dir, "there");
    assert_eq!(read(dir, "there/runs/plain-s0/timings.csv"), times);
}

#[test]
fn two_tasks_of_one_run_succeed_and_publish_it_once() {
    let (dir, _) = setup("cluster-race");
    assert!(compare(dir.path(), "there", &["--cluster=script"]).status.success());
    let task = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_nas-train-extended"));
        command.current_dir(dir.path()).args(["cluster-task", "there/plan.jsonl"]).spawn().unwrap()
    };
    let mut both = [task(), task()];
    assert!(both.iter_mut().all(|task| task.wait().unwrap().success()));
    assert_eq!(names(&dir.path().join("there/runs")), ["plain-s0"]);
    assert!(!dir.path().join("there/attempts/runs/plain-s0").exists());
}

#[test]
fn a_failed_run_is_shown_with_its_message_and_its_exit_code_is_that_of_the_command() {
    let (dir, _) = setup("cluster-failed");
    let path = fake_slurm(dir.path());
    let options = ["compare", "--strategies=plain,plain:train.lr=1e30", "--seeds=1", "--sequence=0", "--out=there"];
    let output = on_slurm(dir.path(), &path).args(options).args(TINY).args(SLURM).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(stderr(&output).contains("training diverged"), "{}", stderr(&output));
    let status = on_slurm(dir.path(), &path).args(["cluster", "status", "there", "--json"]).output().unwrap();
    let status: Value = serde_json::from_str(&stdout(&status)).unwrap();
    assert_eq!((&status["done"], &status["failed"], &status["lost"]), (&1.into(), &1.into(), &0.into()));
    assert!(status["problems"][0].as_str().unwrap().contains("with exit code 5"), "{status}");
    let retried = on_slurm(dir.path(), &path).args(["cluster", "retry", "there"]).output().unwrap();
    assert!(stdout(&retried).contains("1 run is submitted again"), "{}", stdout(&retried));
}

#[test]
fn plans_and_options_that_cannot_work_are_refused() {
    let (dir, _) = setup("cluster-refused");
    let path = dir.path();
    assert!(compare(path, "there", &["--cluster=script"]).status.success());
    let task = |options: &[&str], words: &[&str]| {
        refuses(path, &[&["cluster-task", "there/plan.jsonl"], options].concat(), 2, words);
    };
    task(&["--offset=6"], &["has 6 runs, so there is no run 6"]);
    task(&["--plan-sha256=abc"], &["has changed since it was submitted"]);
    refuses(path, &["cluster-task", "none/plan.jsonl"], 2, &["is not visible on", "all nodes share"]);
    refuses(path, &["cluster", "status", "none"], 2, &["has no plan.jsonl"]);
    refuses(path, &["cluster", "retry", "there"], 2, &["was not submitted to Slurm"]);
    refuses(path, &["cluster", "cancel", "there"], 2, &["was not submitted to Slurm: send SIGTERM"]);
    let options = [COMPARE, TINY, &["--out=there"]].concat();
    refuses(path, &[options.as_slice(), &["--time=1:00"]].concat(), 2, &["--time has an effect with --cluster only"]);
    let tensorboard = [options.as_slice(), &["--cluster=script", "--tensorboard=t"]].concat();
    refuses(path, &tensorboard, 2, &["--tensorboard has no effect with --cluster"]);
    for (option, problem) in [
        ("--budget=time", "--budget time is not possible with --cluster"),
        ("--jobs=2", "--jobs has no effect with --cluster: leave it out"),
        ("--max-running=3", "--max-running has an effect with --cluster slurm only"),
        ("--sbatch-arg=--comment=x", "the program sets this option itself"),
        ("--sbatch-arg=--no-requeue", "the program sets this option itself"),
        ("--sbatch-arg=--mem=4G --array=0-3", "the program sets this option itself"),
        ("--sbatch-arg=--arr=0-3", "the program sets this option itself"),
        ("--partition=a b", "cluster.partition: expected one word"),
        ("--setup=none", "--setup: cannot read none"),
    ] {
        refuses(path, &[options.as_slice(), &["--cluster=script", option]].concat(), 2, &[problem]);
    }
    let seeds = [options.as_slice(), &["--cluster=script", "--seeds=3"]].concat();
    // A plan without attempts is replaced, one in progress is not.
    assert!(program(path).args(&seeds).output().unwrap().status.success());
    fs::create_dir_all(path.join("there/attempts/runs/ogd-s0/of-another-node")).unwrap();
    refuses(path, &[options.as_slice(), &["--cluster=script", "--seeds=4"]].concat(), 2, &["a plan with other runs"]);
    let local = [options.as_slice(), &["--seeds=3"]].concat();
    refuses(path, &local, 2, &["has commands of a plan that are in progress or were killed"]);
    fs::remove_dir_all(path.join("there/attempts")).unwrap();
    let text = read(path, "there/plan.jsonl").replacen("\"lr\":0.0", "\"lr\":0.1", 1);
    fs::write(path.join("there/plan.jsonl"), text).unwrap();
    task(&[], &["is damaged: run 0: its hash differs"]);
}

#[test]
fn outputs_that_another_machine_writes_are_refused() {
    let (dir, _) = setup("cluster-claimed");
    let path = dir.path();
    let claim = r#"{"host":"n7","machine":"m","boot":"other","namespace":"","pid":1,"started":"5","slurm_job":null}"#;
    fs::create_dir(path.join("there")).unwrap();
    fs::write(path.join("there/.owner"), claim).unwrap();
    fs::write(path.join("table.owner"), claim).unwrap();
    let words = ["is in use by process 1 of n7", "If it was killed, remove "];
    let output = compare(path, "there", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(words.iter().all(|word| stderr(&output).contains(word)), "{}", stderr(&output));
    let truth = ["truth", "--samples=2", "--space=tiny", "--data=synthetic", "--epochs=1", "--out=table.csv"];
    let output = program(path).args(truth).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(words.iter().all(|word| stderr(&output).contains(word)), "{}", stderr(&output));
}
