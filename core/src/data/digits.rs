//! The data set `digits`: 1,797 handwritten digits, embedded in the program.
//!
//! The test part of the UCI data set "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998,
//! CC BY 4.0, <https://doi.org/10.24432/C50P49>) as shipped by scikit-learn; see `core/data/NOTICE-digits.txt`.
//! 8 x 8 grey pixels with values 0 to 16.

use std::path::PathBuf;

use flate2::read::GzDecoder;

use super::registry::Cancel;
use super::{Augment, DataError, DataOptions, Dataset, ImageShape, Images};

/// One row per image: 64 pixel values, row by row, then the label. There is no header.
static CSV_GZ: &[u8] = include_bytes!("../../data/digits.csv.gz");

const SHAPE: ImageShape = ImageShape { height: 8, width: 8, channels: 1 };

pub(super) fn load(_: &DataOptions, _: &Cancel) -> Result<Dataset, DataError> {
    let content = |found: String| DataError::Content {
        path: PathBuf::from("digits.csv.gz (embedded in the program)"),
        expected: "64 pixel values and a digit per row".into(),
        found,
        fix: "this build is damaged, build the program again",
    };
    let mut rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(GzDecoder::new(CSV_GZ));
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for row in rows.deserialize::<Vec<u8>>() {
        let row = row.map_err(|error| content(error.to_string()))?;
        match row.as_slice() {
            [image @ .., label] if image.len() == SHAPE.values() && *label < 10 => {
                pixels.extend_from_slice(image);
                labels.push(u16::from(*label));
            }
            _ => return Err(content(format!("{row:?}"))),
        }
    }
    Ok(Dataset {
        name: "digits",
        classes: (0..10).map(|digit| digit.to_string()).collect(),
        train: Images::new(SHAPE, pixels, labels),
        valid: 0,
        test: None,
        augment: Augment::NONE,
        notes: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_1797_digits_are_there() {
        let digits = crate::data::load("digits", &DataOptions::default()).unwrap();
        assert_eq!((digits.train.len(), digits.shape(), digits.classes.len()), (1797, SHAPE, 10));
        assert!((0..1797).all(|i| digits.train.pixels(i).unwrap().iter().all(|&value| value <= 16)));
        // The first two rows of the first image, and the class sizes, of sklearn.datasets.load_digits().
        assert_eq!(digits.train.pixels(0).unwrap()[..16], [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0]);
        let count = |class| digits.train.labels().iter().filter(|&&label| label == class).count();
        let counts: Vec<usize> = (0..10).map(count).collect();
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    }
}
