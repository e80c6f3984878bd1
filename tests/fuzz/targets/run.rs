//! The files of a finished run, as `report` reads them. The first byte selects the file; the rest replaces its content, or
//! a part of it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

const FILES: [&str; 6] = ["manifest.json", "config.toml", "result.json", "metrics.csv", "archs.csv", "log.jsonl"];

/// The directory of a finished run, and the content of its files.
static RUN: LazyLock<(PathBuf, Vec<Vec<u8>>)> = LazyLock::new(|| {
    let dir = tempfile::Builder::new().prefix("fuzz").tempdir().expect("a directory for the run").keep();
    let run = dir.join("run");
    let out = run.to_str().expect("a path as text");
    let options = "--space tiny --data synthetic --set data.synthetic.samples=100 --set data.synthetic.size=4 --width 1 \
        --epochs 2 --batch-size 16 --probes 4 --interval 1 --progress none --threads 1";
    nas_cli::main(["nas-train"].into_iter().chain(options.split_whitespace()).chain(["--out", out]).map(Into::into));
    let read = |file: &&str| fs::read(run.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    (run.clone(), FILES.iter().map(read).collect())
});

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, new)) = bytes.split_first() else { return };
    let (run, contents) = &*RUN;
    let file = usize::from(kind) % FILES.len();
    let content = &contents[file];
    // Two bytes of the input are the place of a change; an even kind replaces the whole file.
    let changed = match new {
        [high, low, change @ ..] if kind / 6 % 2 == 1 => {
            let place = (usize::from(*high) << 8 | usize::from(*low)) % content.len().max(1);
            let end = (place + change.len()).min(content.len());
            [&content[..place], change, &content[end..]].concat()
        }
        _ => new.to_vec(),
    };
    let path = run.join(FILES[file]);
    fs::write(&path, changed).expect("write a file of the run");
    nas_cli::main(["nas-train", "report"].into_iter().map(Into::into).chain([run.into()]));
    fs::write(path, content).expect("restore a file of the run");
});
