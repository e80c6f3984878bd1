//! Data sets: images, labels and class names.

use super::{Augment, ImageShape, Images};

/// A data set: images for training and validation, and held-out test images where the data set has them.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Name of the data set in the registry.
    pub name: &'static str,
    /// Class names in the order of the labels.
    pub classes: Vec<String>,
    /// Images that a run splits into training and validation.
    pub train: Images,
    /// Number of images at the end of `train` that are the validation part of the data set itself. 0 if the data set
    /// has none; a run then draws its validation images from all of `train`.
    pub valid: usize,
    /// Images for the final evaluation, which a search does not use; `None` if the data set has no test part.
    pub test: Option<Images>,
    /// Default augmentation for these images.
    pub augment: Augment,
    /// Files that were not read, with the reason, as sentences for the user.
    pub notes: Vec<String>,
}

impl Dataset {
    /// Shape of every image in both parts.
    pub fn shape(&self) -> ImageShape {
        self.train.shape()
    }

    /// Numbers of images and classes in one line: `3,000 images of 32 x 32 in 10 classes, 300 of them for validation,
    /// no test part`.
    pub fn summary(&self) -> String {
        let ImageShape { height, width, .. } = self.shape();
        let images = counted(self.train.len(), "image");
        let valid = match self.valid {
            0 => String::new(),
            valid => format!(", {} of them for validation", grouped(valid)),
        };
        let test = self.test.as_ref().map_or("no test part".into(), |test| counted(test.len(), "test image"));
        format!("{images} of {height} x {width} in {} classes{valid}, {test}", self.classes.len())
    }
}

/// A count with its noun: `1 image`, `2,000 images`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// A count with commas between groups of three digits.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let group = |(index, digit): (usize, char)| {
        let comma = index > 0 && (digits.len() - index).is_multiple_of(3);
        comma.then_some(',').into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        let counts = [0, 999, 1000, 60_000, 1_234_567].map(grouped);
        assert_eq!([0, 1, 2].map(|count| counted(count, "image")), ["0 images", "1 image", "2 images"]);
        assert_eq!(counts, ["0", "999", "1,000", "60,000", "1,234,567"]);
    }

    #[test]
    fn the_summary_names_all_parts() {
        let shape = ImageShape { height: 2, width: 3, channels: 1 };
        let images = |n: usize| Images::new(shape, vec![0; n * 6], vec![0; n]);
        let (classes, train) = (vec!["a".into(), "b".into()], images(1200));
        let mut data =
            Dataset { name: "folder", classes, train, valid: 0, test: None, augment: Augment::NONE, notes: Vec::new() };
        assert_eq!(data.summary(), "1,200 images of 2 x 3 in 2 classes, no test part");
        (data.valid, data.test) = (200, Some(images(5)));
        assert_eq!(data.summary(), "1,200 images of 2 x 3 in 2 classes, 200 of them for validation, 5 test images");
    }
}
