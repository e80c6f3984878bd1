//! The layers of a configuration: a file, and an assignment of `--set` after the first byte 0.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let dir = tempfile::Builder::new().prefix("fuzz").tempdir().expect("a directory for the configuration").keep();
    dir.join("config.toml")
});

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let (file, set) = match bytes.iter().position(|byte| *byte == 0) {
        Some(end) => (&bytes[..end], Some(&bytes[end + 1..])),
        None => (bytes, None),
    };
    // A plugin is code; loading one is not parsing.
    if file.windows(7).any(|word| word == b"plugins") || set.is_some_and(|set| set.windows(7).any(|w| w == b"plugins")) {
        return Corpus::Reject;
    }
    fs::write(&*FILE, file).expect("write the configuration");
    let mut arguments: Vec<OsString> =
        ["nas-train", "config", "show", "--config"].map(OsString::from).into_iter().chain([FILE.clone().into()]).collect();
    if let Some(set) = set {
        let Ok(set) = std::str::from_utf8(set) else { return Corpus::Reject };
        arguments.push(format!("--set={set}").into());
    }
    nas_cli::main(arguments);
    Corpus::Keep
});
