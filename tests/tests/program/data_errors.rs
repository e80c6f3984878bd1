//! Missing or damaged data: exit code 4, and no new files.

use super::helper::{refuses, setup};
use std::fs::{self, File};
use std::path::Path;

/// Size in bytes of an official CIFAR-10 batch: 10,000 labels and images.
const BATCH: u64 = 10_000 * 3073;

/// Writes a file of `size` bytes below `dir`: `bytes`, then zeros.
fn sparse(dir: &Path, file: &str, size: u64, bytes: &[u8]) {
    let path = dir.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    File::options().write(true).open(path).unwrap().set_len(size).unwrap();
}

fn cifar(dir: &Path, words: &[&str]) {
    refuses(dir, &["--data=cifar10", "--data-dir=data"], 4, words);
}

#[test]
fn the_error_for_missing_files_explains_how_to_get_them() {
    let (dir, _) = setup("missing");
    refuses(dir.path(), &["--data=cifar10"], 2, &["needs a folder (--data-dir DIR): download https://"]);
    cifar(dir.path(), &["cannot find the folder data: correct --data-dir (`nas-train describe cifar10`"]);
    fs::create_dir(dir.path().join("data")).unwrap();
    for data in ["cifar10", "cifar100", "idx", "folder"] {
        refuses(dir.path(), &["--data", data, "--data-dir=data"], 4, &["cannot find data"]);
    }
}

#[test]
fn a_folder_for_a_data_set_without_files_is_rejected() {
    let (dir, _) = setup("unread");
    refuses(
        dir.path(),
        &["--data-dir=mine"],
        2,
        &["data.dir: expected no folder", "`digits` reads no files", "--data", "found mine"],
    );
}

#[test]
fn damaged_cifar_files_are_reported() {
    let (dir, _) = setup("cifar");
    let batch = "data/cifar-10-batches-bin/data_batch_1.bin";
    let classes: String = (0..10).map(|class| format!("class{class}\n")).collect();
    sparse(dir.path(), "data/cifar-10-batches-bin/batches.meta.txt", classes.len() as u64, classes.as_bytes());
    for size in [0, BATCH - 1, BATCH + 1] {
        sparse(dir.path(), batch, size, &[]);
        cifar(dir.path(), &["data_batch_1.bin", &format!("has {size} bytes, expected {BATCH}"), "download"]);
    }
    sparse(dir.path(), batch, BATCH, &[200]);
    cifar(dir.path(), &["data_batch_1.bin", "image 0: expected a label below 10, the number of classes, found 200"]);
}

#[test]
fn a_pickle_with_other_content_is_reported() {
    let (dir, _) = setup("pickle");
    let folder = dir.path().join("data/cifar-10-batches-py");
    fs::create_dir_all(&folder).unwrap();
    for file in ["batches.meta", "data_batch_1"] {
        fs::write(folder.join(file), "no pickle").unwrap();
    }
    cifar(dir.path(), &["cifar-10-batches-py", "is not a complete pickle"]);
    // An empty dictionary is a pickle, but not this one.
    for file in ["batches.meta", "data_batch_1"] {
        fs::write(folder.join(file), b"\x80\x02}.").unwrap();
    }
    cifar(dir.path(), &["cifar-10-batches-py", "expected"]);
}

#[test]
fn images_that_cannot_be_decoded_are_reported() {
    let (dir, _) = setup("decode");
    for class in ["cat", "dog"] {
        fs::create_dir_all(dir.path().join("data").join(class)).unwrap();
        fs::write(dir.path().join("data").join(class).join("1.png"), "no image").unwrap();
    }
    refuses(dir.path(), &["--data=folder", "--data-dir=data"], 4, &["cannot decode data/cat/1.png"]);
}

#[test]
fn data_with_a_single_class_is_rejected() {
    let (dir, _) = setup("class");
    fs::create_dir_all(dir.path().join("data/cat")).unwrap();
    refuses(
        dir.path(),
        &["--data=folder", "--data-dir=data"],
        4,
        &["expected training images of at least 2 classes, found classes: 1"],
    );

    let (count, side) = (20_u32, 8_u32);
    let header = |kind: u8, sizes: &[u32]| {
        let sizes = sizes.iter().flat_map(|size| size.to_be_bytes());
        [0, 0, 8, kind].into_iter().chain(sizes).collect::<Vec<u8>>()
    };
    let mut images = header(3, &[count, side, side]);
    images.resize(images.len() + (count * side * side) as usize, 7);
    let mut labels = header(1, &[count]);
    labels.resize(labels.len() + count as usize, 3);
    fs::write(dir.path().join("data/train-images-idx3-ubyte"), images).unwrap();
    fs::write(dir.path().join("data/train-labels-idx1-ubyte"), labels).unwrap();
    let arguments = ["--data=idx", "--data-dir=data", "--space=tiny", "--probes=0"];
    refuses(dir.path(), &arguments, 4, &["expected training images of at least 2 classes, found classes: 1"]);
}
