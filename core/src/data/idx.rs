//! The data set `idx`: files in the format of MNIST, Fashion-MNIST, Kuzushiji-MNIST and EMNIST, plain or compressed by gzip.
//!
//! A file consists of two zero bytes, the byte 8 (for unsigned bytes as values), the number of dimensions, the dimensions
//! as big-endian `u32`, and the values. <https://yann.lecun.com/exdb/mnist/>

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::{Augment, DataError, DataOptions, Dataset, ImageShape, Images};

pub(super) const HOW: &str = "download for example https://storage.googleapis.com/cvdf-datasets/mnist/ \
    train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz, \
    and give the folder that holds them, unpacked or not (without the t10k files there is no test part)";

const FIX: &str = "download the file again";

pub(super) fn load(options: &DataOptions) -> Result<Dataset, DataError> {
    let dir = options.folder("idx", HOW)?;
    let (train, most) = part(dir, "train", None)?;
    let has_test = find(dir, "t10k", IMAGES).is_ok() || find(dir, "t10k", LABELS).is_ok();
    let test = if has_test { Some(part(dir, "t10k", Some((train.shape(), most)))?.0) } else { None };
    Ok(Dataset {
        name: "idx",
        classes: (0..=most).map(|class| class.to_string()).collect(),
        train,
        test,
        augment: Augment::NONE,
    })
}

/// Kind of a file: the middle of its name and its number of dimensions.
type Kind = (&'static str, u8);
const IMAGES: Kind = ("images", 3);
const LABELS: Kind = ("labels", 1);

/// Reads images and labels of one part; also returns the largest label. The test part must have the image shape and the
/// labels of the training part (`train`).
fn part(dir: &Path, name: &str, train: Option<(ImageShape, u8)>) -> Result<(Images, u8), DataError> {
    let (image_path, label_path) = (find(dir, name, IMAGES)?, find(dir, name, LABELS)?);
    let content = |path: &Path, expected: String, found: String| DataError::Content {
        path: path.into(),
        expected,
        found,
        fix: FIX,
    };
    let (sides, pixels) = read(&image_path, IMAGES)?;
    let (count, labels) = read(&label_path, LABELS)?;
    let [images, height, width] = sides[..] else { return Err(content(&image_path, "3 sides".into(), "fewer".into())) };
    if images == 0 || height == 0 || width == 0 {
        return Err(content(
            &image_path,
            "images of at least one pixel".into(),
            format!("{images} x {height} x {width}"),
        ));
    }
    if count != [images] {
        return Err(content(&label_path, format!("{images} labels"), format!("{}", labels.len())));
    }
    let shape = ImageShape { height, width, channels: 1 };
    let most = labels.iter().copied().max().unwrap_or_default();
    if let Some((expected, greatest)) = train {
        if shape != expected {
            let expected = format!("the {} x {} pixels of the training images", expected.height, expected.width);
            return Err(content(&image_path, expected, format!("{height} x {width}")));
        }
        if let Some(index) = labels.iter().position(|&label| label > greatest) {
            let (label, classes) = (u64::from(labels[index]), usize::from(greatest) + 1);
            return Err(DataError::Label { path: label_path, index, label, classes, fix: FIX });
        }
    }
    Ok((Images::new(shape, pixels, labels.into_iter().map(u16::from).collect()), most))
}

/// Finds the file of one kind. Names with `-idx` and with `.idx` are both common.
fn find(dir: &Path, part: &str, (middle, sides): Kind) -> Result<PathBuf, DataError> {
    let names = ["-", "."].map(|mark| format!("{part}-{middle}{mark}idx{sides}-ubyte"));
    let candidates = names.iter().flat_map(|name| [dir.join(name), dir.join(format!("{name}.gz"))]);
    let found = candidates.into_iter().find(|path| path.is_file());
    found.ok_or_else(|| DataError::Missing { path: dir.join(&names[0]), how: HOW })
}

/// Reads dimensions and values of one file.
fn read(path: &Path, (_, sides): Kind) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let io = |source| DataError::Read { path: path.into(), source };
    let file = BufReader::new(File::open(path).map_err(io)?);
    let compressed = path.extension().is_some_and(|extension| extension == "gz");
    let mut reader: Box<dyn Read> = if compressed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };

    let length = 4 + 4 * u64::from(sides);
    let mut header = Vec::new();
    reader.by_ref().take(length).read_to_end(&mut header).map_err(io)?;
    let size = |expected, found| DataError::Size { path: path.into(), expected, found, fix: FIX };
    if (header.len() as u64) < length {
        return Err(size(length, header.len() as u64));
    }
    let (magic, rest) = header.split_at(4);
    if magic != [0, 0, 8, sides] {
        return Err(DataError::Content {
            path: path.into(),
            expected: format!("the first bytes of an idx file, [0, 0, 8, {sides}]"),
            found: format!("{magic:?}"),
            fix: FIX,
        });
    }
    let dimensions: Vec<u32> = rest.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]])).collect();
    // Three `u32` can exceed `u64`, the size of a file cannot.
    let values = dimensions.iter().fold(1u64, |product, &side| product.saturating_mul(side.into()));
    let mut data = Vec::new();
    reader.by_ref().take(values).read_to_end(&mut data).map_err(io)?;
    let more = io::copy(&mut reader, &mut io::sink()).map_err(io)?;
    let found = data.len() as u64 + more;
    if found != values {
        return Err(size(length.saturating_add(values), length + found));
    }
    Ok((dimensions.into_iter().map(|side| side as usize).collect(), data))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tempfile::TempDir;

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
        load(&DataOptions { dir: Some(dir.path().into()), ..DataOptions::default() })
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
        assert!(load_from(&dir).unwrap_err().to_string().contains("t10k-images-idx3-ubyte: download"));
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
            assert!(message(images, &idx(&empty, &[])).contains("expected images of at least one pixel"));
        }
        let labels = "train-labels-idx1-ubyte";
        assert!(message(labels, &idx(&[2], &[1])).contains("has 9 bytes, expected 10"));
    }

    #[test]
    fn other_files_are_refused() {
        let images = "train-images-idx3-ubyte";
        assert!(
            message(images, &[1; 28]).contains("expected the first bytes of an idx file, [0, 0, 8, 3], found [1, ")
        );
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
        assert!(message.contains("label 3 of image 1 is not below the number of classes 3"), "{message}");
    }
}
