//! The data set `synthetic`: generated images of any size, for experiments without files and for tests.
//!
//! Each class has a smooth pattern. Per channel it is a sum of cosines with up to [`WAVES`] periods per side, normal
//! coefficients and uniform phases, scaled to variance 1. An image of the class is its pattern, shifted cyclically by
//! up to 1/8 of the side, multiplied by a random contrast of 0.5 to 1.5, plus normal noise with standard deviation
//! `noise`. One unit is [`CONTRAST`] pixel values, and 0 is pixel value 128. A single pixel or the mean colour does not
//! determine the class, but a small convolutional network learns it.

use std::f64::consts::TAU;

use rand::Rng;
use rand::seq::SliceRandom;

use super::images::zeroed;
use super::registry::Cancel;
use super::{Augment, DataError, DataOptions, Dataset, ImageShape, Images, SyntheticOptions};
use crate::streams::Streams;

/// Largest number of periods per side.
const WAVES: usize = 3;
/// Pixel values per standard deviation of a pattern.
const CONTRAST: f64 = 32.0;

pub(super) fn load(options: &DataOptions, cancel: &Cancel) -> Result<Dataset, DataError> {
    let options = &options.synthetic;
    check(options)?;
    let &SyntheticOptions { classes, size, channels, samples, seed, .. } = options;
    let shape = ImageShape { height: size, width: size, channels };
    let streams = Streams::new(seed);
    let patterns: Vec<Vec<f64>> =
        (0..classes).map(|class| pattern(shape, &mut streams.rng("synthetic pattern", class as u64))).collect();
    let mut labels: Vec<u16> = (0..samples).map(|sample| (sample % classes) as u16).collect();
    labels.shuffle(&mut streams.rng("synthetic labels", 0));
    let mut pixels = zeroed(samples, shape)?;
    for (sample, image) in pixels.chunks_exact_mut(shape.values()).enumerate() {
        cancel.check()?;
        let pattern = &patterns[usize::from(labels[sample])];
        draw(pattern, shape, options.noise, &mut streams.rng("synthetic image", sample as u64), image);
    }
    Ok(Dataset {
        name: "synthetic",
        classes: (0..classes).map(|class| format!("pattern {class}")).collect(),
        train: Images::new(shape, pixels, labels),
        valid: 0,
        test: None,
        augment: Augment::NONE,
        notes: Vec::new(),
    })
}

/// Checks the ranges of the options.
pub(super) fn check(options: &SyntheticOptions) -> Result<(), DataError> {
    let &SyntheticOptions { classes, size, channels, samples, noise, .. } = options;
    let ranges = [
        ("data.synthetic.classes", classes, 2..=1000),
        ("data.synthetic.size", size, 2..=256),
        ("data.synthetic.channels", channels, 1..=16),
        ("data.synthetic.samples", samples, classes..=10_000_000),
    ];
    for (key, value, range) in ranges {
        if !range.contains(&value) {
            return Err(DataError::option(key, value, format!("{} to {}", range.start(), range.end())));
        }
    }
    if !(0.0..=100.0).contains(&noise) {
        return Err(DataError::option("data.synthetic.noise", noise, "0 to 100"));
    }
    Ok(())
}

/// Draws the pattern of one class, `[h, w, c]`, with mean 0 and variance 1 in each channel.
fn pattern(shape: ImageShape, rng: &mut impl Rng) -> Vec<f64> {
    let ImageShape { height, width, channels } = shape;
    let mut out = vec![0.0; shape.values()];
    for channel in 0..channels {
        for (down, right) in (0..=WAVES).flat_map(|down| (0..=WAVES).map(move |right| (down, right))) {
            let (amplitude, phase) = (normal(rng), rng.random_range(0.0..TAU));
            for (place, value) in out.iter_mut().skip(channel).step_by(channels).enumerate() {
                let (y, x) = ((place / width) as f64 / height as f64, (place % width) as f64 / width as f64);
                *value += amplitude * (TAU * (down as f64 * y + right as f64 * x) + phase).cos();
            }
        }
        let count = (height * width) as f64;
        let mean = out.iter().skip(channel).step_by(channels).sum::<f64>() / count;
        let variance = out.iter().skip(channel).step_by(channels).map(|v| (v - mean).powi(2)).sum::<f64>() / count;
        let scale = if variance > 0.0 { variance.sqrt().recip() } else { 0.0 };
        out.iter_mut().skip(channel).step_by(channels).for_each(|value| *value = (*value - mean) * scale);
    }
    out
}

/// Draws one image of the class with this pattern.
fn draw(pattern: &[f64], shape: ImageShape, noise: f64, rng: &mut impl Rng, image: &mut [u8]) {
    let ImageShape { height, width, channels } = shape;
    let (down, right) = (rng.random_range(0..=height / 8), rng.random_range(0..=width / 8));
    let contrast = rng.random_range(0.5..1.5);
    for (place, pixel) in image.chunks_exact_mut(channels).enumerate() {
        let (row, column) = ((place / width + down) % height, (place % width + right) % width);
        let source = &pattern[(row * width + column) * channels..][..channels];
        for (value, clean) in pixel.iter_mut().zip(source) {
            // `as` rounds towards zero and saturates at 0 and 255.
            *value = (128.5 + CONTRAST * (contrast * clean + noise * normal(rng))) as u8;
        }
    }
}

/// Draws a standard normal number (Box and Muller 1958).
fn normal(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (TAU * rng.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(synthetic: SyntheticOptions) -> Result<Dataset, DataError> {
        crate::data::load("synthetic", &DataOptions { synthetic, ..DataOptions::default() })
    }

    #[test]
    fn images_are_balanced_and_repeatable() {
        let options = SyntheticOptions { classes: 4, size: 6, channels: 2, samples: 22, ..Default::default() };
        let data = make(options.clone()).unwrap();
        assert_eq!(data.shape(), ImageShape { height: 6, width: 6, channels: 2 });
        assert_eq!((data.train.len(), data.classes.len()), (22, 4));
        for class in 0..4 {
            let count = data.train.labels().iter().filter(|&&label| label == class).count();
            assert!((5..=6).contains(&count));
        }
        assert_eq!(make(options.clone()).unwrap().train, data.train);
        assert_ne!(make(SyntheticOptions { seed: 1, ..options }).unwrap().train, data.train);
    }

    /// The share of the second half of the images whose nearest class mean of the first half is their own.
    fn nearest_mean_accuracy(noise: f64) -> f64 {
        let data = make(SyntheticOptions { noise, ..Default::default() }).unwrap().train;
        let (values, half) = (data.shape().values(), data.len() / 2);
        let mut means = vec![vec![0.0; values]; 10];
        for index in 0..half {
            let mean = &mut means[usize::from(data.labels()[index])];
            mean.iter_mut()
                .zip(&*data.pixels(index).unwrap())
                .for_each(|(m, &v)| *m += f64::from(v) / half as f64 * 10.0);
        }
        let distance = |index: usize, mean: &[f64]| {
            data.pixels(index).unwrap().iter().zip(mean).map(|(&v, m)| (f64::from(v) - m).powi(2)).sum::<f64>()
        };
        let right = (half..data.len()).filter(|&index| {
            let best = (0..10).min_by(|&a, &b| distance(index, &means[a]).total_cmp(&distance(index, &means[b])));
            best == Some(usize::from(data.labels()[index]))
        });
        right.count() as f64 / half as f64
    }

    #[test]
    fn classes_can_be_learnt_and_noise_hides_them() {
        let (default, loud) = (nearest_mean_accuracy(1.0), nearest_mean_accuracy(20.0));
        assert!(default > 0.6, "{default}");
        assert!(loud < default - 0.2, "{loud} {default}");
    }

    #[test]
    fn options_out_of_range_are_refused() {
        let default = SyntheticOptions::default;
        for (options, expected) in [
            (SyntheticOptions { classes: 1, ..default() }, "data.synthetic.classes: expected 2 to 1000, found 1"),
            (SyntheticOptions { size: 0, ..default() }, "data.synthetic.size: expected 2 to 256, found 0"),
            (SyntheticOptions { channels: 0, ..default() }, "data.synthetic.channels: expected 1 to 16, found 0"),
            (SyntheticOptions { samples: 9, ..default() }, "data.synthetic.samples: expected 10 to 10000000, found 9"),
            (SyntheticOptions { noise: -1.0, ..default() }, "data.synthetic.noise: expected 0 to 100, found -1"),
            (SyntheticOptions { noise: f64::NAN, ..default() }, "data.synthetic.noise: expected 0 to 100, found NaN"),
        ] {
            assert_eq!(make(options).unwrap_err().to_string(), expected);
        }
    }
}
