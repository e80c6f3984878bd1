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
    refuse(&["--batch-sizes=64,0"], &["`0`: expected a whole number of at least 1"]);
    refuse(&["--batch-sizes=18446744073709551615"], &["expected a whole number of at most 9223372036854775807"]);
    refuse(&["--batch-sizes=9223372036854775807"], &["case plain on ", "train.batch_size: expected at most 1000000"]);
    refuse(&["--thread-counts=18446744073709551615"], &["expected a whole number of at most 9223372036854775807"]);
    refuse(&["--thread-counts=1025"], &["threads: expected at most 1024"]);
    refuse(&["--set=data.train_fraction=1e-300"], &["data.synthetic.samples"]);
    refuse(&["--spaces="], &["values separated by commas"]);
    refuse(&["--steps=0"], &["at least 1"]);
    refuse(&["--strategy=ogd", "--strategies=plain,ogd"], &["--strategy has no effect with --strategies"]);
}

#[test]
fn a_case_that_diverges_exits_with_code_5() {
    for rounds in ["--rounds=1", "--rounds=2"] {
        let (_dir, mut command) = setup("bench-diverged");
        let options = ["--space=tiny", "--lr=1e30", "--set=train.clip=1e30", "--steps=20", rounds];
        let output = command.args(SHORT).args(options).output().unwrap();
        let message = stderr(&output);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(5), ""), "{message}");
        assert!(message.contains("error: ") && message.contains("training diverged"), "{message}");
    }
}

/// Interrupts of a benchmark whose warm-up takes hours.
#[cfg(target_os = "linux")]
mod interrupts {
    use super::super::helper::send_signal;
    use std::fs;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    fn start(options: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nas-train-extended"));
        command.args(["bench", "--space=tiny", "--batch-size=4", "--warm-up=1000000000"]).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn wait_for<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "no {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The field of a line `Name: value` of the status of a process; none if the process does not exist.
    fn status(process: u32, name: &str) -> Option<String> {
        let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        text.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
    }

    /// Waits until the process handles Ctrl-C and its measurement has started threads.
    fn wait_until_measuring(process: u32) {
        wait_for("signal handler", || {
            let caught = u64::from_str_radix(&status(process, "SigCgt")?, 16).ok()?;
            let threads: usize = status(process, "Threads")?.parse().ok()?;
            (caught & 1 << 1 != 0 && threads > 2).then_some(())
        });
    }

    fn child_of(process: u32) -> u32 {
        let children = format!("/proc/{process}/task/{process}/children");
        wait_for("child process", || fs::read_to_string(&children).ok()?.split_whitespace().next()?.parse().ok())
    }

    fn wait_until_ended(process: u32) {
        wait_for("end of the child process", || {
            let state = status(process, "State");
            state.is_none_or(|state| state.starts_with('Z')).then_some(())
        });
    }

    #[test]
    fn the_warm_up_of_a_single_case_is_interrupted() {
        for name in ["-INT", "-TERM"] {
            let bench = start(&["--rounds=1", "--threads=2"]);
            wait_until_measuring(bench.id());
            let sent = Instant::now();
            send_signal(bench.id(), name);
            let output = bench.wait_with_output().unwrap();
            assert_eq!((output.status.code(), output.stdout.len()), (Some(130), 0));
            assert!(sent.elapsed() < Duration::from_secs(5), "{:?}", sent.elapsed());
        }
    }

    #[test]
    fn an_interrupt_ends_the_child_process_too() {
        for name in ["-INT", "-TERM"] {
            let bench = start(&["--rounds=2", "--threads=2"]);
            let child = child_of(bench.id());
            wait_until_measuring(child);
            send_signal(bench.id(), name);
            let output = bench.wait_with_output().unwrap();
            assert_eq!((output.status.code(), output.stdout.len()), (Some(130), 0));
            wait_until_ended(child);
        }
    }

    #[test]
    fn a_killed_benchmark_leaves_no_child_behind() {
        let mut bench = start(&["--rounds=2", "--threads=2"]);
        let child = child_of(bench.id());
        wait_until_measuring(child);
        bench.kill().unwrap();
        bench.wait().unwrap();
        wait_until_ended(child);
    }

    /// Ctrl-C on a terminal goes to both processes.
    #[test]
    fn a_child_process_that_is_interrupted_ends_the_benchmark() {
        let bench = start(&["--rounds=2", "--threads=2"]);
        let child = child_of(bench.id());
        wait_until_measuring(child);
        send_signal(child, "-INT");
        assert_eq!(bench.wait_with_output().unwrap().status.code(), Some(130));
    }
}
