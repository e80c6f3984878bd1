//! TensorBoard event files. Their framing is always checked; where Python has the package, TensorBoard reads them too.

use super::helper::{TINY, mark_unfinished, names, program, read, refuses, setup, stderr, tiny};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The number of frames in the only event file of a directory. Asserts that every byte belongs to a frame.
fn frames(dir: &Path) -> usize {
    let files = names(dir);
    assert!(files.len() == 1 && files[0].starts_with("events.out.tfevents."), "{files:?}");
    let bytes = fs::read(dir.join(&files[0])).unwrap();
    let (mut at, mut count) = (0, 0);
    while at < bytes.len() {
        at += 16 + u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        count += 1;
    }
    assert_eq!(at, bytes.len());
    count
}

#[test]
fn a_run_and_its_export_hold_every_metric() {
    let (dir, _) = setup("tensorboard");
    let dir = dir.path();
    tiny(dir, "out", &["--tensorboard=live", "--progress=none"]);
    program(dir).args(["export", "out", "--tensorboard", "later"]).assert().success();
    let metrics = read(dir, "out/metrics.csv");
    // The first frame holds the version. It balances the header of metrics.csv.
    assert_eq!(
        (frames(&dir.join("live")), frames(&dir.join("later"))),
        (metrics.lines().count(), metrics.lines().count())
    );

    // NAS_PYTHON may name a Python with the package.
    let python = std::env::var("NAS_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = "import sys\n\
                  from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n\
                  for dir in sys.argv[1:]:\n\
                  \x20   events = EventAccumulator(dir, size_guidance={'scalars': 0}); events.Reload()\n\
                  \x20   for tag in events.Tags()['scalars']:\n\
                  \x20       for s in events.Scalars(tag): print(dir, tag, s.step, s.value)\n";
    let output = Command::new(python).args(["-c", script, "live", "later"]).current_dir(dir).output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        eprintln!("no Python with tensorboard: only the framing is tested");
        return;
    };
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let [from, tag, step, value] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let (split, metric) = tag.split_once('/').unwrap();
        let value: f64 = value.parse().unwrap();
        let same = |row: &&str| {
            let fields: Vec<&str> = row.split(',').collect();
            let near = (fields[4].parse::<f64>().unwrap_or(f64::NAN) - value).abs() <= 1e-6 * value.abs();
            (fields[0], fields[2], fields[3], near) == (step, split, metric, true)
        };
        assert!(metrics.lines().any(|row| same(&row)), "{line}");
        *found.entry(from.into()).or_default() += 1;
    }
    let rows = metrics.lines().count() - 1;
    assert_eq!(found, [("later".into(), rows), ("live".into(), rows)].into());
}

#[test]
fn only_finished_runs_are_exported() {
    let (dir, _) = setup("export");
    refuses(dir.path(), &["export", "missing", "--tensorboard=t"], 2, &["missing: not a run directory"]);
    let output = tiny(dir.path(), "out", &["--progress=none"]);
    assert!(output.status.success(), "{}", stderr(&output));
    mark_unfinished(dir.path(), "out");
    refuses(dir.path(), &["export", "out", "--tensorboard=t"], 2, &["out: the run is unfinished"]);
}

#[test]
fn event_files_of_two_runs_are_not_mixed() {
    let (dir, _) = setup("mixed");
    let dir = dir.path();
    tiny(dir, "out", &["--tensorboard=t", "--progress=none"]);
    refuses(dir, &["export", "out", "--tensorboard=t"], 2, &["t has event files already"]);
    let arguments: Vec<&str> = TINY.iter().copied().chain(["--out=second", "--tensorboard=t"]).collect();
    refuses(dir, &arguments, 2, &["t has event files already"]);
    // A repeated run of a comparison replaces its own event file.
    let compare = || {
        let options = "compare --strategies plain --seeds 1 --sequence 0 --out c --tensorboard cb";
        program(dir).args(options.split_whitespace()).args(TINY).assert().success();
    };
    compare();
    fs::remove_file(dir.join("c/runs/plain-s0/result.json")).unwrap();
    compare();
    frames(&dir.join("cb/plain-s0"));
}
