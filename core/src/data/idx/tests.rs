use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::super::IdxOptions;
use super::*;

fn idx(dimensions: &[u32], values: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 0, 8, dimensions.len() as u8];
    dimensions.iter().for_each(|side| out.extend(side.to_be_bytes()));
    out.extend_from_slice(values);
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A folder with two images of 2 x 3 and labels 0 and 2, both as training and as test part.
fn folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    for part in ["train", "t10k"] {
        let images = idx(&[2, 2, 3], &(0..12).collect::<Vec<u8>>());
        fs::write(dir.path().join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        fs::write(dir.path().join(format!("{part}-labels-idx1-ubyte")), idx(&[2], &[0, 2])).unwrap();
    }
    dir
}

fn load_from(dir: &TempDir) -> Result<Dataset, DataError> {
    load_with(dir, IdxLayout::Mnist)
}

fn load_with(dir: &TempDir, layout: IdxLayout) -> Result<Dataset, DataError> {
    let options = DataOptions { dir: Some(dir.path().into()), idx: IdxOptions { layout }, ..DataOptions::default() };
    crate::data::load("idx", &options)
}

/// The error message after the content of `file` was replaced by `bytes`.
fn message(file: &str, bytes: &[u8]) -> String {
    let dir = folder();
    fs::write(dir.path().join(file), bytes).unwrap();
    load_from(&dir).unwrap_err().to_string()
}

#[test]
fn both_parts_are_read() {
    let data = load_from(&folder()).unwrap();
    let shape = ImageShape { height: 2, width: 3, channels: 1 };
    let images = Images::new(shape, (0..12).collect(), vec![0, 2]);
    assert_eq!((&data.train, data.test.as_ref()), (&images, Some(&images)));
    assert_eq!(data.classes, ["0", "1", "2"]);
}

#[test]
fn compressed_files_and_dotted_names_are_read() {
    let dir = folder();
    for file in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"] {
        let bytes = fs::read(dir.path().join(file)).unwrap();
        fs::remove_file(dir.path().join(file)).unwrap();
        fs::write(dir.path().join(format!("{}.gz", file.replace("-idx", ".idx"))), gzip(&bytes)).unwrap();
    }
    assert_eq!(load_from(&dir).unwrap().train, load_from(&folder()).unwrap().train);
}

#[test]
fn the_test_part_may_be_missing_but_not_half_of_it() {
    let dir = folder();
    fs::remove_file(dir.path().join("t10k-images-idx3-ubyte")).unwrap();
    assert!(
        load_from(&dir)
            .unwrap_err()
            .to_string()
            .contains("expected the file t10k-images-idx3-ubyte or t10k-images-idx3-ubyte.gz, found t10k-labels")
    );
    fs::remove_file(dir.path().join("t10k-labels-idx1-ubyte")).unwrap();
    assert_eq!(load_from(&dir).unwrap().test, None);
}

#[test]
fn missing_training_files_are_named_with_the_download() {
    let message = load_from(&TempDir::new().unwrap()).unwrap_err().to_string();
    assert!(message.contains("train-images-idx3-ubyte: download for example https://"), "{message}");
}

#[test]
fn wrong_sizes_are_refused() {
    let images = "train-images-idx3-ubyte";
    assert!(message(images, b"").contains("has 0 bytes, expected 16"));
    assert!(message(images, &idx(&[2, 2, 3], &[0; 11])).contains("has 27 bytes, expected 28: download"));
    assert!(message(images, &idx(&[2, 2, 3], &[0; 15])).contains("has 31 bytes, expected 28"));
    assert!(message(images, &idx(&[u32::MAX; 3], &[0; 5])).contains("has 21 bytes, expected 18446744073709551615"));
    assert!(message(images, &idx(&[3, 2, 3], &[0; 18])).contains("expected 3 labels, found 2"));
    for empty in [[0, 2, 3], [2, 0, 3], [2, 2, 0]] {
        assert!(message(images, &idx(&empty, &[])).contains("images of at least one pixel, found"));
    }
    let labels = "train-labels-idx1-ubyte";
    assert!(message(labels, &idx(&[2], &[1])).contains("has 9 bytes, expected 10"));
}

#[test]
fn other_files_are_refused() {
    let images = "train-images-idx3-ubyte";
    assert!(message(images, &[1; 28]).contains("expected the first bytes of an idx file, [0, 0, 8, 3], found [1, "));
    let message_of_labels = message(images, &idx(&[12], &[0; 12]));
    assert!(message_of_labels.contains("found [0, 0, 8, 1]"), "{message_of_labels}");
    let dir = folder();
    fs::remove_file(dir.path().join(images)).unwrap();
    for bytes in [&b"not gzip"[..], &gzip(&idx(&[2, 2, 3], &[0; 12]))[..20]] {
        fs::write(dir.path().join(format!("{images}.gz")), bytes).unwrap();
        assert!(matches!(load_from(&dir).unwrap_err(), DataError::Read { .. }));
    }
}

#[test]
fn the_test_part_must_fit_the_training_part() {
    let bytes = idx(&[2, 3, 2], &[0; 12]);
    assert!(message("t10k-images-idx3-ubyte", &bytes).contains("expected the 2 x 3 pixels of the training images"));
    let message = message("t10k-labels-idx1-ubyte", &idx(&[2], &[1, 3]));
    assert!(message.contains("image 1: expected a label below 3, the number of classes, found 3"), "{message}");
}

#[test]
fn names_of_emnist_are_found_and_its_images_transposed() {
    let dir = TempDir::new().unwrap();
    for part in ["train", "test"] {
        let name = |rest: &str| dir.path().join(format!("emnist-letters-{part}-{rest}-ubyte"));
        fs::write(name("images-idx3"), idx(&[2, 2, 3], &(0..12).collect::<Vec<u8>>())).unwrap();
        fs::write(name("labels-idx1"), idx(&[2], &[1, 2])).unwrap();
    }
    let data = load_with(&dir, IdxLayout::Emnist).unwrap();
    assert_eq!(data.shape(), ImageShape { height: 3, width: 2, channels: 1 });
    assert_eq!(*data.train.pixels(0).unwrap(), [0, 3, 1, 4, 2, 5]);
    assert_eq!(*data.train.pixels(1).unwrap(), [6, 9, 7, 10, 8, 11]);
    assert_eq!(data.test.unwrap(), data.train);
    assert_eq!(*load_with(&dir, IdxLayout::Mnist).unwrap().train.pixels(0).unwrap(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn two_data_sets_in_one_folder_are_named() {
    let dir = folder();
    fs::write(dir.path().join("emnist-train-images-idx3-ubyte"), idx(&[1, 1, 1], &[0])).unwrap();
    let message = load_from(&dir).unwrap_err().to_string();
    for words in
        ["one data set", "found emnist-train-images-idx3-ubyte, train-images-idx3-ubyte; keep one of these files"]
    {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_file_beside_its_compressed_form_is_refused() {
    let dir = folder();
    fs::write(dir.path().join("train-labels-idx1-ubyte.gz"), gzip(&idx(&[2], &[2, 0]))).unwrap();
    let message = load_from(&dir).unwrap_err().to_string();
    let words = "found train-labels-idx1-ubyte, train-labels-idx1-ubyte.gz; keep one of these files here";
    assert!(message.contains(words), "{message}");
}

#[test]
fn a_compressed_file_of_another_length_than_its_header_is_refused() {
    let (short, long) = ("has 27 bytes, expected 28: download", "expected 28 bytes, found more; download");
    for (values, words) in [(&[0; 11][..], short), (&[0; 13], long), (&[0; 100_000], long)] {
        let dir = folder();
        fs::remove_file(dir.path().join("train-images-idx3-ubyte")).unwrap();
        let bytes = gzip(&idx(&[2, 2, 3], values));
        fs::write(dir.path().join("train-images-idx3-ubyte.gz"), bytes).unwrap();
        let message = load_from(&dir).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_header_with_too_many_images_is_refused_before_reading() {
    let dir = folder();
    fs::remove_file(dir.path().join("train-images-idx3-ubyte")).unwrap();
    let header = gzip(&idx(&[4_000_000_000, 28, 28], &[0; 10]));
    fs::write(dir.path().join("train-images-idx3-ubyte.gz"), header).unwrap();
    assert!(load_from(&dir).unwrap_err().to_string().contains("found 4000000000 x 28 x 28"));
}
