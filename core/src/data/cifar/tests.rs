use std::fs;

use proptest::prelude::*;
use serde_pickle::{HashableValue, Value};
use tempfile::TempDir;

use std::sync::atomic::AtomicBool;

use super::*;

/// The official layouts with two images per file.
const SMALL10: ArchiveLayout = ArchiveLayout { records: (2, 2), ..CIFAR10 };
const SMALL100: ArchiveLayout = ArchiveLayout { records: (2, 2), ..CIFAR100 };

const BATCH10: &[u8] = include_bytes!("fixtures/batch10.pkl");
const META10: &[u8] = include_bytes!("fixtures/meta10.pkl");

/// The value that `fixtures/make.py` gives a pixel.
fn value(record: usize, row: usize, column: usize, channel: usize) -> u8 {
    ((101 * record + 50 * channel + 7 * row + column) % 256) as u8
}

/// The two images of the fixtures, `[2, h, w, c]`.
fn pixels() -> Vec<u8> {
    let mut out = Vec::new();
    for (record, row) in (0..2).flat_map(|record| (0..32).map(move |row| (record, row))) {
        out.extend((0..32).flat_map(|column| (0..3).map(move |channel| value(record, row, column, channel))));
    }
    out
}

/// Two binary records with these label bytes.
fn records(labels: [&[u8]; 2]) -> Vec<u8> {
    let mut out = Vec::new();
    for (record, label) in labels.into_iter().enumerate() {
        out.extend_from_slice(label);
        for (channel, row) in (0..3).flat_map(|channel| (0..32).map(move |row| (channel, row))) {
            out.extend((0..32).map(|column| value(record, row, column, channel)));
        }
    }
    out
}

/// A folder in the layout of `files`, each file of images with the same content.
fn folder(files: ArchiveFiles, images: &[u8], names: &[u8]) -> TempDir {
    let dir = TempDir::new().unwrap();
    let inside = dir.path().join(files.folder);
    fs::create_dir(&inside).unwrap();
    for file in files.train.iter().chain([&files.test]) {
        fs::write(inside.join(file), images).unwrap();
    }
    fs::write(inside.join(files.names), names).unwrap();
    dir
}

fn binary10() -> TempDir {
    folder(SMALL10.binary, &records([&[3], &[9]]), b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n")
}

fn load_from(layout: &ArchiveLayout, dir: &Path) -> Result<Dataset, DataError> {
    let cancel = AtomicBool::new(false);
    load(layout, &DataOptions { dir: Some(dir.into()), ..DataOptions::default() }, &Cancel(&cancel))
}

fn message(layout: &ArchiveLayout, dir: &TempDir) -> String {
    load_from(layout, dir.path()).unwrap_err().to_string()
}

#[test]
fn binary_cifar10() {
    let dir = binary10();
    let data = load_from(&SMALL10, dir.path()).unwrap();
    assert_eq!(data.train, Images::new(SHAPE, pixels().repeat(5), [3, 9].repeat(5)));
    assert_eq!(data.test, Some(Images::new(SHAPE, pixels(), vec![3, 9])));
    assert_eq!((data.name, data.classes.len(), data.classes[9].as_str()), ("cifar10", 10, "j"));
    // the folder itself works like its parent
    assert_eq!(load_from(&SMALL10, &dir.path().join("cifar-10-batches-bin")).unwrap().train, data.train);
}

#[test]
fn binary_cifar100_takes_the_fine_label() {
    let names: String = (0..100).map(|class| format!("class {class}\n")).collect();
    let dir = folder(SMALL100.binary, &records([&[4, 0], &[5, 99]]), names.as_bytes());
    let data = load_from(&SMALL100, dir.path()).unwrap();
    assert_eq!(data.train, Images::new(SHAPE, pixels(), vec![0, 99]));
    assert_eq!(data.classes[99], "class 99");
}

#[test]
fn python_cifar10_in_every_form_of_pickle() {
    for (form, batch) in [
        ("python 2", BATCH10),
        ("python 2, column-major", include_bytes!("fixtures/batch10-fortran.pkl")),
        ("python 3, protocol 2, bytes as keys", include_bytes!("fixtures/batch10-p2.pkl")),
        ("python 3, protocol 4", include_bytes!("fixtures/batch10-p4.pkl")),
        ("python 3, protocol 5", include_bytes!("fixtures/batch10-p5.pkl")),
    ] {
        let dir = folder(SMALL10.python, batch, META10);
        let data = load_from(&SMALL10, dir.path()).unwrap_or_else(|error| panic!("{form}: {error:?}"));
        assert_eq!(data.train, Images::new(SHAPE, pixels().repeat(5), [3, 9].repeat(5)), "{form}");
        assert_eq!(data.test.as_ref().map(Images::labels), Some(&[3, 9][..]), "{form}");
        assert_eq!((data.classes.len(), data.classes[9].as_str()), (10, "truck"), "{form}");
        let inside = dir.path().join("cifar-10-batches-py");
        assert_eq!(load_from(&SMALL10, &inside).unwrap().train, data.train, "{form}");
    }
}

#[test]
fn python_cifar100_takes_the_fine_label() {
    let (batch, meta) = (include_bytes!("fixtures/batch100.pkl"), include_bytes!("fixtures/meta100.pkl"));
    let data = load_from(&SMALL100, folder(SMALL100.python, batch, meta).path()).unwrap();
    assert_eq!(data.train, Images::new(SHAPE, pixels(), vec![0, 99]));
    assert_eq!(data.classes[99], "fine99");
}

#[test]
fn missing_files_are_named_with_the_download() {
    let dir = TempDir::new().unwrap();
    assert!(message(&CIFAR10, &dir).contains("cifar-10-batches-bin: download https://www.cs.toronto.edu/"));
    for file in ["data_batch_4.bin", "test_batch.bin", "batches.meta.txt"] {
        let dir = binary10();
        fs::remove_file(dir.path().join("cifar-10-batches-bin").join(file)).unwrap();
        let message = message(&SMALL10, &dir);
        assert!(message.contains(file) && message.contains("cifar-10-binary.tar.gz"), "{message}");
    }
}

#[test]
fn sizes_are_those_of_the_official_files() {
    // the names of the files are right, but these are not the official sizes
    let message10 = message(&CIFAR10, &binary10());
    assert!(message10.contains("data_batch_1.bin has 6146 bytes, expected 30730000: download"), "{message10}");
    let names: String = (0..100).map(|class| format!("{class}\n")).collect();
    let message100 = message(&CIFAR100, &folder(CIFAR100.binary, b"", names.as_bytes()));
    assert!(message100.contains("train.bin has 0 bytes, expected 153700000"), "{message100}");
    let python = message(&CIFAR10, &folder(CIFAR10.python, BATCH10, META10));
    assert!(python.contains("expected shape [10000, 3072] of bytes, found shape [2, 3072]"), "{python}");
}

#[test]
fn truncated_and_oversized_files_are_refused() {
    for (bytes, size) in [(&records([&[3], &[9]])[..6145], 6145), (&[&records([&[3], &[9]])[..], &[0]].concat(), 6147)]
    {
        let dir = binary10();
        fs::write(dir.path().join("cifar-10-batches-bin/test_batch.bin"), bytes).unwrap();
        let message = message(&SMALL10, &dir);
        assert!(message.contains(&format!("test_batch.bin has {size} bytes, expected 6146")), "{message}");
    }
    for bytes in [&BATCH10[..BATCH10.len() - 1], &BATCH10[..3000], &[BATCH10, b"more"].concat(), b""] {
        let message = message(&SMALL10, &folder(SMALL10.python, bytes, META10));
        assert!(message.contains("data_batch_1 is not a complete pickle"), "{message}");
    }
    let error = load_from(&SMALL10, folder(SMALL10.python, &vec![b'N'; 200_000], META10).path()).unwrap_err();
    let DataError::Read { source, .. } = error else { panic!("{error}") };
    assert!(source.to_string().contains("expected at most"), "{source}");
}

#[test]
fn labels_out_of_range_are_refused() {
    let dir = binary10();
    fs::write(dir.path().join("cifar-10-batches-bin/data_batch_3.bin"), records([&[3], &[10]])).unwrap();
    let message = message(&SMALL10, &dir);
    assert!(
        message.contains("data_batch_3.bin: image 1: expected a label below 10, the number of classes, found 10"),
        "{message}"
    );
}

#[test]
fn pickles_of_other_things_are_refused() {
    let pickle = |value: Value| serde_pickle::value_to_vec(&value, Default::default()).unwrap();
    let key = |key: &str| HashableValue::String(key.into());
    let data = |bytes: usize| {
        let shape = Value::Tuple(vec![Value::I64(2), Value::I64(3072)]);
        Value::Tuple(vec![Value::I64(1), shape, Value::None, Value::Bool(false), Value::Bytes(vec![0; bytes])])
    };
    let labels = |labels: &[i64]| Value::List(labels.iter().map(|&label| Value::I64(label)).collect());
    let dict = |entries: Vec<(&str, Value)>| Value::Dict(entries.into_iter().map(|(k, v)| (key(k), v)).collect());
    for (value, expected) in [
        (Value::List(vec![]), "expected a pickled dictionary"),
        (dict(vec![]), "expected an entry `data`"),
        (dict(vec![("data", Value::Tuple(vec![]))]), "expected an entry `data`"),
        (dict(vec![("data", data(6143))]), "found shape [2, 3072] in 6143 bytes"),
        (dict(vec![("data", data(6144))]), "expected a list of labels, `labels`"),
        (dict(vec![("data", data(6144)), ("labels", labels(&[1]))]), "expected 2 labels, found 1"),
        (dict(vec![("data", data(6144)), ("labels", labels(&[1, -1]))]), "expected a list of labels"),
        (dict(vec![("data", data(6144)), ("labels", labels(&[1, 10]))]), "image 1: expected a label below 10"),
    ] {
        let message = message(&SMALL10, &folder(SMALL10.python, &pickle(value), META10));
        assert!(message.contains(expected), "{message}");
    }
    for meta in [dict(vec![]), dict(vec![("label_names", Value::List(vec![Value::String("one".into())]))])] {
        let message = message(&SMALL10, &folder(SMALL10.python, BATCH10, &pickle(meta)));
        assert!(message.contains("batches.meta: expected") && message.contains("class names"), "{message}");
    }
}

#[test]
fn deeply_nested_pickles_are_refused_before_they_exhaust_the_stack() {
    // pickles of [[[...]]] and (((...))), about as long as a batch of two images may be
    let lists = [vec![b']'; 40_000], vec![b'a'; 39_999], vec![b'.']].concat();
    let tuples = [&[b')'][..], &[0x85; 80_000], b"."].concat();
    // behind arguments of every length, which a wrong count would mistake for the end
    let behind = [&b"\x80\x02K.M..J....U\x01.T\x02\0\0\0..\x8e\x01\0\0\0\0\0\0\0.I1.\nca.\nb.\n"[..], &lists].concat();
    for pickle in [lists.clone(), tuples, behind] {
        assert!(python_message(&pickle).ends_with(
            "found more than 256 lists, dictionaries, tuples or objects; download the official archive again"
        ));
    }
}

#[test]
fn pickles_that_grow_when_they_are_decoded_are_refused() {
    // A list that is doubled into itself, by DUP and by references.
    assert!(python_message(&[&b"]"[..], &b"2a".repeat(30), b"."].concat()).contains("found a copy of a value"));
    let doubled: Vec<u8> = (0..30).flat_map(|n| [b'(', b'h', n, b'h', n, b'l', b'q', n + 1]).collect();
    assert!(python_message(&[&b"]q\0"[..], &doubled, b"."].concat()).contains("found too many copies of a value"));
    // A string of 60,000 bytes with 400 references.
    let string = [&b"]T\x60\xea\0\0"[..], &[b'a'; 60_000], b"q\0", &b"h\0a".repeat(400), b"."].concat();
    assert!(python_message(&string).contains("found too many copies of a value"));
    // Numbers with many digits, as text and as bytes.
    for digits in
        [[&b"L"[..], &[b'9'; 50_000], b"L\n."].concat(), [&b"\x8b\x50\xc3\0\0"[..], &[7; 50_000], b"."].concat()]
    {
        assert!(python_message(&digits).contains("found a number with too many digits"));
    }
}

/// The decoder panicked for these keys of a dictionary, which have no order.
#[test]
fn floating_point_numbers_are_refused() {
    let nan = [&b"G"[..], &f64::NAN.to_be_bytes()].concat();
    let keys: Vec<u8> = (0..40u8).flat_map(|n| [&nan[..], &[b'N', b'K', n, b'N']].concat()).collect();
    let pickle = [&b"}("[..], &keys, b"u."].concat();
    assert!(python_message(&pickle).contains("found a floating-point number"));
}

/// The error message for a python archive whose first batch is this pickle.
fn python_message(pickle: &[u8]) -> String {
    let message = message(&SMALL10, &folder(SMALL10.python, pickle, META10));
    assert!(message.contains("data_batch_1: expected a dictionary of plain lists and an array, found "), "{message}");
    message
}

#[test]
fn too_few_class_names_are_refused() {
    let message = message(&SMALL10, &folder(SMALL10.binary, &records([&[3], &[9]]), b"a\nb\n"));
    assert!(message.contains("batches.meta.txt: expected 10 class names, found 2"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damaged_pickles_never_panic(position in 0usize..BATCH10.len(), byte: u8, tail in 0usize..3) {
        let mut bytes = BATCH10.to_vec();
        // most of the file is pixels; aim at the structure around them
        let position = match tail { 0 => position, 1 => position % 200, _ => BATCH10.len() - 1 - position % 100 };
        bytes[position] = byte;
        let mut part = PartialImages::default();
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("batch");
        fs::write(&path, bytes).unwrap();
        if python::read(&SMALL10, &path, 2, &mut part).is_ok() {
            prop_assert_eq!(part.labels.len(), 2);
        }
    }
}
