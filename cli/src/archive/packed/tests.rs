//! Packing, crashes while packing, and archives from anywhere.

use super::super::{Incomplete, content, digests, finished};
use super::pack;
use super::{ARCHIVE, contains};
use crate::exit::ExitStatus;
use crate::record::MARKER;
use nas_core::sha256;
use serde_json::json;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const FILES: [(&str, &str); 5] = [
    (MARKER, "made by a comparison\n"),
    ("config.toml", "seed = 1\n"),
    ("metrics.csv", "step\n1\n"),
    ("result.json", "{}\n"),
    ("weights.safetensors", "weights"),
];

/// The directory of a finished run with a checkpoint, and with notes of the user.
fn run() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let digests = FILES[1..].iter().map(|(name, text)| (*name, json!({"sha256": sha256::of(text.as_bytes())})));
    let files: serde_json::Map<_, _> = digests.map(|(name, digest)| (name.to_owned(), digest)).collect();
    let manifest = json!({"schema": nas_core::result::SCHEMA, "status": "finished", "files": files});
    fs::write(dir.path().join("manifest.json"), manifest.to_string()).unwrap();
    FILES.iter().for_each(|(name, text)| fs::write(dir.path().join(name), text).unwrap());
    fs::create_dir_all(dir.path().join("checkpoints/000001")).unwrap();
    fs::write(dir.path().join("checkpoints/000001/state.json"), "{}").unwrap();
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    dir
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn assert_readable(dir: &Path) {
    for (name, text) in FILES {
        assert_eq!(content::bytes(dir, name).unwrap(), text.as_bytes(), "{name}");
    }
    digests::check(dir, &finished(dir).unwrap()).unwrap();
}

const LEFT: [&str; 5] = ["manifest.json", "notes.txt", ARCHIVE, "result.json", "weights.safetensors"];

#[test]
fn a_packed_run_has_few_files_and_reads_as_before() {
    let (one, two) = (run(), run());
    pack(one.path()).unwrap();
    assert_eq!(names(one.path()), LEFT);
    assert_readable(one.path());
    assert!(contains(one.path(), MARKER).unwrap() && !contains(one.path(), "archs.csv").unwrap());
    let missing = content::bytes(one.path(), "archs.csv").unwrap_err();
    assert!(matches!(missing.downcast_ref(), Some(Incomplete::Missing(name)) if name == "archs.csv"), "{missing}");
    pack(two.path()).unwrap();
    let archive = |dir: &TempDir| fs::read(dir.path().join(ARCHIVE)).unwrap();
    assert_eq!(archive(&one), archive(&two));
    let before = archive(&one);
    pack(one.path()).unwrap();
    assert_eq!((names(one.path()), archive(&one)), (LEFT.map(Into::into).to_vec(), before));
}

#[test]
fn a_run_is_readable_after_a_crash_at_any_moment() {
    let packed = run();
    pack(packed.path()).unwrap();
    let archive = fs::read(packed.path().join(ARCHIVE)).unwrap();
    let stop = |moment: usize| {
        let dir = run();
        match moment {
            0 => fs::write(dir.path().join("record.tar.new"), &archive[..700]).unwrap(),
            1 => fs::write(dir.path().join(ARCHIVE), &archive).unwrap(),
            removed => {
                fs::write(dir.path().join(ARCHIVE), &archive).unwrap();
                FILES[..removed - 1].iter().for_each(|(name, _)| fs::remove_file(dir.path().join(name)).unwrap());
            }
        }
        dir
    };
    for moment in 0..=4 {
        let dir = stop(moment);
        assert_readable(dir.path());
        pack(dir.path()).unwrap();
        assert_eq!(names(dir.path()), LEFT, "{moment}");
        assert_eq!(fs::read(dir.path().join(ARCHIVE)).unwrap(), archive, "{moment}");
        assert_readable(dir.path());
    }
}

#[test]
fn unfinished_and_damaged_runs_are_not_packed() {
    let dir = run();
    let manifest = dir.path().join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let before = names(dir.path());
    fs::write(&manifest, text.replace("finished", "running")).unwrap();
    let error = pack(dir.path()).unwrap_err();
    assert_eq!(ExitStatus::of(&error), ExitStatus::Usage);
    fs::write(&manifest, text).unwrap();
    fs::write(dir.path().join("metrics.csv"), "step\n2\n").unwrap();
    let error = pack(dir.path()).unwrap_err();
    assert_eq!(ExitStatus::of(&error), ExitStatus::Data);
    assert!(crate::exit::chained(&error).contains("metrics.csv is incomplete or damaged"), "{error:#}");
    assert_eq!(names(dir.path()), before);
}

/// Archives with these headers, each followed by `content`.
fn archive(headers: &[(&[u8], u64, tar::EntryType)], content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, size, kind) in headers {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name);
        header.set_entry_type(*kind);
        header.set_size(*size);
        header.set_cksum();
        bytes.extend(header.as_bytes());
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

#[test]
fn damaged_and_malicious_archives_are_errors() {
    use tar::EntryType::{Directory, Fifo, GNULongName, Regular, Symlink, XHeader};
    let file = |name: &'static str| (name.as_bytes(), 4, Regular);
    let many: Vec<String> = (0..100).map(|number| format!("f{number}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_bytes(), 4, Regular)).collect();
    let whole = archive(&[file(MARKER), file("config.toml")], b"text");
    let mut flipped = whole.clone();
    flipped[1024 + 3] ^= 1;
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "its end is missing"),
        (whole[..whole.len() - 1].to_vec(), "its end is missing"),
        (whole[..1024 + 515].to_vec(), "`config.toml` is cut short"),
        (whole[..1024 + 300].to_vec(), ""),
        (flipped, "checksum"),
        (b"not an archive".repeat(100), ""),
        (archive(&[("config.toml".as_bytes(), 1 << 32, Regular)], b"text"), "`config.toml` is cut short"),
        (archive(&[(b"../x", 4, Regular)], b"text"), "`../x` is not the name of a file"),
        (archive(&[(b"/x", 4, Regular)], b"text"), "`/x` is not the name of a file"),
        (archive(&[(b"a/x", 4, Regular)], b"text"), "`a/x` is not the name of a file"),
        (archive(&[(b"..", 4, Regular)], b"text"), "`..` is not the name of a file"),
        (archive(&[(b"", 4, Regular)], b"text"), "is not the name of a file"),
        (archive(&[(b"config.toml", 4, Symlink)], b"text"), "is not the name of a file"),
        (archive(&[(b"config.toml", 4, Fifo)], b"text"), "is not the name of a file"),
        (archive(&[(b"config.toml", 4, Directory)], b"text"), "is not the name of a file"),
        (archive(&[(b"long", 4, GNULongName), file("config.toml")], b"text"), "is not the name of a file"),
        (archive(&[(b"pax", 4, XHeader), file("config.toml")], b"text"), "is not the name of a file"),
        (archive(&[file("config.toml"), file("config.toml")], b"text"), "it contains `config.toml` twice"),
        (archive(&many, b"text"), "it contains more than 64 files"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join(ARCHIVE);
    for (number, (bytes, expected)) in cases.into_iter().enumerate() {
        fs::write(&path, bytes).unwrap();
        let error = content::bytes(dir.path(), "config.toml").unwrap_err();
        assert_eq!(ExitStatus::of(&error), ExitStatus::Data, "{number}: {error:#}");
        let message = error.to_string();
        assert!(message.starts_with("record.tar is incomplete or damaged: "), "{number}: {message}");
        assert!(message.contains(expected), "{number}: {message}");
        contains(dir.path(), "config.toml").unwrap();
        assert_eq!(names(dir.path()), [ARCHIVE], "{number}");
    }
    fs::write(&path, &whole[..1024 + 100]).unwrap();
    assert!(contains(dir.path(), MARKER).unwrap(), "the marker comes before the damage");
    // The archive has a hole as large as the file that it claims to contain.
    let large = File::create(&path).unwrap();
    let size = content::LIMIT + 1;
    std::io::Write::write_all(&mut &large, &archive(&[(b"config.toml", size, Regular)], b"")[..512]).unwrap();
    large.set_len(512 + size.next_multiple_of(512) + 1024).unwrap();
    let error = content::bytes(dir.path(), "config.toml").unwrap_err();
    assert!(error.to_string().contains("config.toml has more than "), "{error:#}");
    assert_eq!(ExitStatus::of(&error), ExitStatus::Data);
}
