//! The split of the images into training and validation.

use rand::Rng;
use rand::seq::SliceRandom;

use super::{DataError, DataOptions, Dataset};

/// A stratified split of the images into two disjoint parts in random order.
///
/// Each class contributes in proportion to its size, rounded up or down to a whole image. A limit then takes images of a
/// part in the same way. A class whose share is below one image may be absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Indices of the images that train the weights.
    pub train: Vec<usize>,
    /// Indices of the images that validate architectures.
    pub valid: Vec<usize>,
}

/// Positions of images by class, in label order.
type Classes = Vec<Vec<usize>>;

impl Split {
    /// All training and validation images as training images, at most [`limit_train`](DataOptions::limit_train) of
    /// them, and none for validation.
    ///
    /// # Errors
    /// A limit out of range, or images of fewer than two classes.
    pub fn all(dataset: &Dataset, options: &DataOptions, rng: &mut impl Rng) -> Result<Self, DataError> {
        let mut classes = by_class(dataset.train.labels());
        if classes.len() < 2 {
            return Err(DataError::Classes { found: classes.len(), fix: "use data with more classes" });
        }
        classes.iter_mut().for_each(|class| class.shuffle(rng));
        let mut train = limited(&mut classes, "data.limit_train", options.limit_train, rng)?;
        train.shuffle(rng);
        Ok(Self { train, valid: Vec::new() })
    }

    /// Splits the images of a data set by [`DataOptions::train_fraction`], or into the parts that the data set has
    /// itself ([`Dataset::valid`]). Then keeps at most [`limit_train`](DataOptions::limit_train) and
    /// [`limit_valid`](DataOptions::limit_valid) images of the parts.
    ///
    /// The limits do not move images between the parts. The same labels, options and state of `rng` give the same
    /// split.
    ///
    /// # Errors
    /// A fraction or limit out of range, or training images of fewer than two classes.
    pub fn new(dataset: &Dataset, options: &DataOptions, rng: &mut impl Rng) -> Result<Self, DataError> {
        let fraction = options.train_fraction;
        options.check_train_fraction()?;
        let (mut train, mut valid) = parts(dataset.train.labels(), dataset.valid, fraction, rng)?;
        let mut split = Self {
            train: limited(&mut train, "data.limit_train", options.limit_train, rng)?,
            valid: limited(&mut valid, "data.limit_valid", options.limit_valid, rng)?,
        };
        split.train.shuffle(rng);
        split.valid.shuffle(rng);
        Ok(split)
    }
}

/// The images of a part, at most `limit` of them, class by class.
fn limited(
    part: &mut Classes,
    key: &'static str,
    limit: Option<usize>,
    rng: &mut impl Rng,
) -> Result<Vec<usize>, DataError> {
    let available = part.iter().map(Vec::len).sum();
    match limit {
        None => Ok(part.concat()),
        Some(limit) if (1..=available).contains(&limit) => Ok(take(part, limit, rng).concat()),
        Some(limit) => {
            let kind = if key == "data.limit_train" { "training" } else { "validation" };
            let expected = format!("1 to {available}, the number of {kind} images");
            Err(DataError::option(key, limit, expected))
        }
    }
}

/// Training and validation images, each class in random order. The last `valid` images are the validation images; with
/// 0, the training images are this fraction of each class.
fn parts(labels: &[u16], valid: usize, fraction: f64, rng: &mut impl Rng) -> Result<(Classes, Classes), DataError> {
    let own_train = labels.len() - valid;
    let mut classes = by_class(&labels[..own_train]);
    if classes.len() < 2 {
        return Err(DataError::Classes { found: classes.len(), fix: "use data with more classes" });
    }
    classes.iter_mut().for_each(|class| class.shuffle(rng));
    if valid > 0 {
        let mut held_out = by_class(&labels[own_train..]);
        held_out.iter_mut().flatten().for_each(|position| *position += own_train);
        held_out.iter_mut().for_each(|class| class.shuffle(rng));
        return Ok((classes, held_out));
    }
    // Two classes have at least two images, so each part can have one.
    let count = ((fraction * labels.len() as f64).round() as usize).clamp(1, labels.len() - 1);
    let train = take(&mut classes, count, rng);
    Ok((train, classes))
}

/// Positions of the images of each class, in label order, without empty classes.
fn by_class(labels: &[u16]) -> Classes {
    let mut classes = vec![Vec::new(); labels.iter().max().map_or(0, |&max| usize::from(max) + 1)];
    for (position, &label) in labels.iter().enumerate() {
        classes[usize::from(label)].push(position);
    }
    classes.retain(|class| !class.is_empty());
    classes
}

/// Removes `count` images from the classes in proportion to their sizes. Each class gives its exact share rounded down;
/// the classes with the largest remainders give one more. Equal remainders are ordered at random.
fn take(classes: &mut [Vec<usize>], count: usize, rng: &mut impl Rng) -> Classes {
    let total: usize = classes.iter().map(Vec::len).sum();
    let mut order: Vec<usize> = (0..classes.len()).collect();
    order.shuffle(rng);
    let share = |class: &Vec<usize>| class.len() as u128 * count as u128;
    order.sort_by_key(|&index| std::cmp::Reverse(share(&classes[index]) % total as u128));
    let floors: Vec<usize> = classes.iter().map(|class| (share(class) / total as u128) as usize).collect();
    let extra = count - floors.iter().sum::<usize>();
    let mut taken = vec![Vec::new(); classes.len()];
    for (rank, &index) in order.iter().enumerate() {
        let quota = floors[index] + usize::from(rank < extra);
        let rest = classes[index].len() - quota;
        taken[index] = classes[index].split_off(rest);
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::super::{Augment, ImageShape, Images};
    use super::*;
    use crate::streams::Streams;
    use proptest::prelude::*;

    /// Images of one pixel with these labels.
    fn dataset(labels: &[u16], valid: usize) -> Dataset {
        let shape = ImageShape { height: 1, width: 1, channels: 1 };
        let train = Images::new(shape, vec![0; labels.len()], labels.to_vec());
        Dataset { name: "idx", classes: vec![], train, valid, test: None, augment: Augment::NONE, notes: vec![] }
    }

    fn split(labels: &[u16], options: &DataOptions, seed: u64) -> Result<Split, DataError> {
        Split::new(&dataset(labels, 0), options, &mut Streams::new(seed).rng("split", 0))
    }

    fn options(train_fraction: f64, limit_train: Option<usize>, limit_valid: Option<usize>) -> DataOptions {
        DataOptions { train_fraction, limit_train, limit_valid, ..DataOptions::default() }
    }

    /// Asserts that `part` has each class in the proportion of `whole`, up to `slack` images.
    fn assert_proportional(part: &[usize], whole: &[usize], labels: &[u16], slack: f64) {
        for class in 0..=labels.iter().copied().max().unwrap_or(0) {
            let of = |part: &[usize]| part.iter().filter(|&&i| labels[i] == class).count() as f64;
            let exact = of(whole) * part.len() as f64 / whole.len() as f64;
            assert!((of(part) - exact).abs() < slack, "class {class}: {} instead of {exact}", of(part));
        }
    }

    proptest! {
        #[test]
        fn parts_are_disjoint_complete_stratified_and_repeatable(
            labels in prop::collection::vec(0u16..5, 2..200),
            fraction in 0.01f64..0.99,
            seed: u64,
        ) {
            prop_assume!(labels.iter().any(|&label| label != labels[0]));
            let options = options(fraction, None, None);
            let parts = split(&labels, &options, seed).unwrap();
            let expected = (fraction * labels.len() as f64).round() as usize;
            prop_assert_eq!(parts.train.len(), expected.clamp(1, labels.len() - 1));
            let mut all = [parts.train.clone(), parts.valid.clone()].concat();
            all.sort_unstable();
            let whole: Vec<usize> = (0..labels.len()).collect();
            prop_assert_eq!(&all, &whole);
            assert_proportional(&parts.train, &whole, &labels, 1.0);
            prop_assert_eq!(&split(&labels, &options, seed).unwrap(), &parts);
        }

        #[test]
        fn limits_keep_sides_sizes_and_proportions(
            labels in prop::collection::vec(0u16..5, 20..200),
            limit_train in 1usize..8,
            limit_valid in 1usize..8,
            seed: u64,
        ) {
            prop_assume!(labels.iter().any(|&label| label != labels[0]));
            let whole = split(&labels, &options(0.5, None, None), seed).unwrap();
            let limited = split(&labels, &options(0.5, Some(limit_train), Some(limit_valid)), seed).unwrap();
            prop_assert_eq!((limited.train.len(), limited.valid.len()), (limit_train, limit_valid));
            prop_assert!(limited.train.iter().all(|index| whole.train.contains(index)));
            prop_assert!(limited.valid.iter().all(|index| whole.valid.contains(index)));
            assert_proportional(&limited.train, &whole.train, &labels, 1.0);
            assert_proportional(&limited.valid, &whole.valid, &labels, 1.0);
        }
    }

    #[test]
    fn a_limit_of_one_image_a_class_shows_every_class() {
        let labels: Vec<u16> = (0..1000).map(|i| i % 10).collect();
        let parts = split(&labels, &options(0.4, Some(10), Some(20)), 3).unwrap();
        for class in 0..10 {
            assert_eq!(parts.train.iter().filter(|&&i| labels[i] == class).count(), 1);
            assert_eq!(parts.valid.iter().filter(|&&i| labels[i] == class).count(), 2);
        }
    }

    #[test]
    fn the_validation_part_of_the_data_set_is_kept() {
        let labels: Vec<u16> = (0..30).map(|i| i % 3).collect();
        let mut rng = Streams::new(0).rng("split", 0);
        let parts = Split::new(&dataset(&labels, 6), &options(0.4, None, Some(3)), &mut rng).unwrap();
        let mut train = parts.train.clone();
        train.sort_unstable();
        assert_eq!(train, (0..24).collect::<Vec<_>>());
        assert!(parts.train != train, "the training images are in order");
        assert!(parts.valid.iter().all(|position| (24..30).contains(position)));
        let mut classes: Vec<u16> = parts.valid.iter().map(|&position| labels[position]).collect();
        classes.sort_unstable();
        assert_eq!(classes, [0, 1, 2]);
        // Validation images need not show every class, training images do need two.
        let error = |labels: &[u16]| Split::new(&dataset(labels, 2), &options(0.4, None, None), &mut rng.clone()).err();
        assert!(error(&[0, 1, 1, 1]).is_none());
        assert!(matches!(error(&[0, 0, 1, 1]), Some(DataError::Classes { found: 1, .. })));
    }

    #[test]
    fn seeds_differ() {
        let labels: Vec<u16> = (0..100).map(|i| i % 4).collect();
        assert_ne!(
            split(&labels, &DataOptions::default(), 1).unwrap(),
            split(&labels, &DataOptions::default(), 2).unwrap()
        );
    }

    #[test]
    fn fractions_outside_0_and_1_are_refused() {
        for fraction in [0.0, 1.0, -0.5, 1.5, f64::NAN, f64::INFINITY] {
            let error = split(&[0, 1, 0, 1], &options(fraction, None, None), 0).unwrap_err().to_string();
            assert!(error.starts_with("data.train_fraction: expected") && error.contains("between 0 and 1"), "{error}");
        }
    }

    #[test]
    fn limits_name_what_is_available() {
        let labels: Vec<u16> = (0..10).map(|i| i % 2).collect();
        let error = |train, valid| split(&labels, &options(0.4, train, valid), 0).unwrap_err().to_string();
        let expected = "data.limit_train: expected 1 to 4, the number of training images, found 5";
        assert_eq!(error(Some(5), None), expected);
        assert!(error(None, Some(7)).contains("data.limit_valid: expected 1 to 6,"));
        assert!(
            error(Some(0), None).contains("data.limit_train: expected 1 to 4, the number of training images, found 0")
        );
    }

    #[test]
    fn one_class_is_refused() {
        for labels in [&[][..], &[0], &[3, 3, 3]] {
            let error = split(labels, &DataOptions::default(), 0).unwrap_err();
            assert!(matches!(error, DataError::Classes { found, .. } if found == labels.len().min(1)), "{error}");
        }
    }
}
