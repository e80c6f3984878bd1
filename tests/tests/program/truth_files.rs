//! The files of `truth` after a kill, on a full disk, with damaged rows, and with two programs at once.

use super::helper::{names, program, read, refuses, setup, stderr};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// A table of nine architectures in `t.csv`, with `t.toml` beside it.
const TRUTH: &str = "truth --space=tiny --data=synthetic --set=data.synthetic.samples=200 --set=data.synthetic.size=8 \
                     --limit-train=64 --batch-size=16 --epochs=1 --samples=all --seeds=1 --out=t.csv --progress=none";

fn truth(dir: &Path) {
    let output = program(dir).args(TRUTH.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_table_that_was_stopped_at_any_write_is_continued() {
    let (dir, _) = setup("stopped");
    let dir = dir.path();
    truth(dir);
    let (table, settings) = (read(dir, "t.csv"), read(dir, "t.toml"));
    let header = table.find('\n').unwrap();
    // Lengths of the table and of the settings file; none for a missing file.
    for (rows, settings_length) in [
        (None, Some(0)),
        (Some(0), None),
        (Some(0), Some(0)),
        (Some(0), Some(settings.len())),
        (Some(header - 3), Some(settings.len())),
        (Some(header), None),
        (Some(header + 1), Some(settings.len())),
        (Some(header + 9), Some(settings.len())),
        (Some(table.len() - 1), Some(settings.len())),
    ] {
        for (file, text, length) in [("t.csv", &table, rows), ("t.toml", &settings, settings_length)] {
            let _ = fs::remove_file(dir.join(file));
            if let Some(length) = length {
                fs::write(dir.join(file), &text[..length]).unwrap();
            }
        }
        truth(dir);
        assert_eq!(
            (read(dir, "t.csv"), read(dir, "t.toml")),
            (table.clone(), settings.clone()),
            "{rows:?} {settings_length:?}"
        );
    }
    // Rows without their settings have an unknown origin.
    fs::remove_file(dir.join("t.toml")).unwrap();
    refused(dir, &["t.csv cannot be resumed without t.toml"]);
}

/// Asserts that the same command is refused and changes nothing.
fn refused(dir: &Path, words: &[&str]) {
    let before = fs::read(dir.join("t.csv")).unwrap();
    refuses(dir, &TRUTH.split_whitespace().collect::<Vec<_>>(), 2, words);
    assert_eq!(fs::read(dir.join("t.csv")).unwrap(), before);
}

#[test]
fn damaged_rows_are_refused_with_their_line() {
    let (dir, _) = setup("rows");
    let dir = dir.path();
    truth(dir);
    let table = read(dir, "t.csv");
    let rows: Vec<&str> = table.lines().collect();
    let first: Vec<&str> = rows[1].split(',').collect();
    let with = |place: usize, text: &str| {
        let mut fields = first.clone();
        fields[place] = text;
        fields.join(",")
    };
    for (row, problem) in [
        (with(2, "nan"), "expected a number as accuracy, found nan"),
        (with(2, "500"), "expected an accuracy in percent, from 0 to 100, found 500"),
        (with(0, "99"), "architecture `99` is not in space tiny"),
        (with(1, "one"), "expected a whole number from 0 as seed, found one"),
        (rows[2].to_owned(), "is already in line 3"),
        (first[..3].join(","), "expected 6 fields as in the header, found 3"),
    ] {
        // The damage is in line 4, and in a table that is complete and in one that is not.
        for count in [rows.len(), 6] {
            let mut damaged: Vec<&str> = rows[..count].to_vec();
            damaged[3] = &row;
            fs::write(dir.join("t.csv"), damaged.join("\n") + "\n").unwrap();
            refused(dir, &["t.csv: line 4: ", problem, "remove the line"]);
        }
    }
    fs::write(dir.join("t.csv"), "x".repeat(70_000)).unwrap();
    refused(dir, &["expected the header arch,seed,accuracy"]);
    fs::File::create(dir.join("t.csv")).unwrap().set_len(1 << 40).unwrap();
    let output = program(dir).args(TRUTH.split_whitespace()).output().unwrap();
    assert!(stderr(&output).contains("t.csv: expected at most"), "{}", stderr(&output));
}

#[test]
fn programs_that_start_together_lose_no_row() {
    let (dir, _) = setup("together");
    let dir = dir.path();
    // Another program has locked the table and not written its header yet.
    let other = fs::File::create(dir.join("t.csv")).unwrap();
    other.lock().unwrap();
    refused(dir, &["t.csv is in use by another nas-train process"]);
    assert_eq!(names(dir), ["t.csv"]);
    drop(other);
    for _ in 0..3 {
        let start = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_nas-train-extended"));
            let command = command.current_dir(dir).args(TRUTH.split_whitespace());
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        for output in [start(), start(), start()].map(|child| child.wait_with_output().unwrap()) {
            let message = stderr(&output);
            let refused = output.status.code() == Some(2) && message.contains("t.csv is in use by another nas-train");
            assert!(output.status.success() || refused, "{message}");
        }
        let table = read(dir, "t.csv");
        let mut archs: Vec<&str> = table.lines().skip(1).filter_map(|row| row.split(',').next()).collect();
        archs.sort_unstable();
        archs.dedup();
        assert_eq!((archs.len(), table.lines().count()), (9, 10), "{table}");
        assert_eq!(names(dir), ["t.csv", "t.toml"]);
        fs::remove_file(dir.join("t.csv")).unwrap();
        fs::remove_file(dir.join("t.toml")).unwrap();
    }
}

/// A limit on the size of files, in blocks of 512 bytes, simulates a full disk.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_leaves_a_table_that_can_be_continued() {
    let (dir, _) = setup("full");
    let dir = dir.path();
    truth(dir);
    let table = read(dir, "t.csv");
    fs::remove_file(dir.join("t.csv")).unwrap();
    let limited = |blocks: u32, file: &str| {
        let script = format!("ulimit -f {blocks}; exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_nas-train-extended")]);
        let output = command.current_dir(dir).args(TRUTH.split_whitespace()).args(["--seeds=9"]).output().unwrap();
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(&format!("error: cannot write {file}: File too large")), "{message}");
        assert!(names(dir).iter().all(|name| !name.ends_with(".new")), "{:?}", names(dir));
    };
    limited(0, "t.owner");
    fs::remove_file(dir.join("t.toml")).unwrap();
    limited(1, "t.toml");
    limited(2, "t.csv");
    truth(dir);
    let found = read(dir, "t.csv");
    assert!(table.lines().all(|row| found.lines().any(|other| other == row)), "{found}");
}
