//! The data set `idx`: files in the format of MNIST, Fashion-MNIST, Kuzushiji-MNIST and EMNIST, plain or compressed by
//! gzip.

mod file;
mod find;

use std::path::{Path, PathBuf};

use super::registry::Cancel;
use super::{Augment, DataError, DataOptions, Dataset, IdxLayout, ImageShape, Images};
use file::{IdxFile, Kind};

pub(super) const INSTRUCTIONS: &str = "download for example https://storage.googleapis.com/cvdf-datasets/mnist/ \
    train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz, \
    and pass the folder that holds them, unpacked or not, as --data-dir (without the t10k files there is no test part)";

const FIX: &str = "download the file again";

/// Largest number of images of one part. A header with more is damaged.
const MAX_IMAGES: u64 = 100_000_000;

pub(super) fn load(options: &DataOptions, cancel: &Cancel) -> Result<Dataset, DataError> {
    let dir = options.folder("idx", INSTRUCTIONS)?;
    let (train, most) = part(&find::train(dir)?, None, options.idx.layout, cancel)?;
    let test = match find::test(dir)? {
        Some(paths) => Some(part(&paths, Some((train.shape(), most)), options.idx.layout, cancel)?.0),
        None => None,
    };
    Ok(Dataset {
        name: "idx",
        classes: (0..=most).map(|class| class.to_string()).collect(),
        train,
        valid: 0,
        test,
        augment: Augment::NONE,
        notes: Vec::new(),
    })
}

/// The files of one part.
#[derive(Debug, PartialEq)]
struct PartPaths {
    images: PathBuf,
    labels: PathBuf,
}

/// Reads images and labels of one part; also returns the largest label. The test part must have the image shape and the
/// labels of the training part (`train`).
///
/// Both headers are compared before any content is read, so that a wrong header costs no memory.
fn part(
    paths: &PartPaths,
    train: Option<(ImageShape, u8)>,
    layout: IdxLayout,
    cancel: &Cancel,
) -> Result<(Images, u8), DataError> {
    let (image_path, label_path) = (&paths.images, &paths.labels);
    let image_file = IdxFile::open(image_path, Kind::Images)?;
    let label_file = IdxFile::open(label_path, Kind::Labels)?;
    let [images, height, width] = image_file.dimensions[..] else {
        return Err(content(image_path, "3 sides", "fewer"));
    };
    if images == 0 || height == 0 || width == 0 || images > MAX_IMAGES {
        let expected = format!("1 to {MAX_IMAGES} images of at least one pixel");
        return Err(content(image_path, expected, format!("{images} x {height} x {width}")));
    }
    if label_file.dimensions != [images] {
        let found = label_file.dimensions.first().copied().unwrap_or_default();
        return Err(content(label_path, format!("{images} labels"), found.to_string()));
    }
    let shape = ImageShape { height: height as usize, width: width as usize, channels: 1 };
    if let Some((expected, _)) = train
        && transposed(shape, layout) != expected
    {
        let expected = format!("the {} x {} pixels of the training images", expected.height, expected.width);
        return Err(content(image_path, expected, format!("{height} x {width}")));
    }
    let labels = label_file.values(cancel)?;
    let most = labels.iter().copied().max().unwrap_or_default();
    if let Some((_, greatest)) = train
        && let Some(index) = labels.iter().position(|&label| label > greatest)
    {
        let (label, classes) = (u64::from(labels[index]), usize::from(greatest) + 1);
        return Err(DataError::Label { path: label_path.clone(), index, label, classes, fix: FIX });
    }
    let mut pixels = image_file.values(cancel)?;
    if layout == IdxLayout::Emnist {
        transpose(&mut pixels, shape);
    }
    let labels = labels.into_iter().map(u16::from).collect();
    Ok((Images::new(transposed(shape, layout), pixels, labels), most))
}

fn content(path: &Path, expected: impl Into<String>, found: impl Into<String>) -> DataError {
    DataError::Content { path: path.into(), expected: expected.into(), found: found.into(), fix: FIX }
}

/// The shape of the images after reading.
fn transposed(shape: ImageShape, layout: IdxLayout) -> ImageShape {
    match layout {
        IdxLayout::Mnist => shape,
        IdxLayout::Emnist => ImageShape { height: shape.width, width: shape.height, channels: 1 },
    }
}

/// Exchanges rows and columns of images of this shape.
fn transpose(pixels: &mut [u8], ImageShape { height, width, .. }: ImageShape) {
    let mut original = vec![0; height * width];
    for image in pixels.chunks_exact_mut(height * width) {
        original.copy_from_slice(image);
        for (position, value) in image.iter_mut().enumerate() {
            *value = original[position % height * width + position / height];
        }
    }
}

#[cfg(test)]
mod tests;
