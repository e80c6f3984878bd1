//! Per-channel normalisation: `(value - mean) / std`.

use super::Images;

/// Sums over the values of a channel. They are integers, so the order of the images has no influence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ChannelSums {
    /// Sum of the values.
    sum: u64,
    /// Sum of the squared values.
    squares: u64,
}

impl ChannelSums {
    /// Adds the values `[.., c]` of an image to the sums of its channels.
    pub(super) fn add(sums: &mut [Self], pixels: &[u8]) {
        for pixel in pixels.chunks_exact(sums.len()) {
            for (sums, &value) in sums.iter_mut().zip(pixel) {
                sums.sum += u64::from(value);
                sums.squares += u64::from(value) * u64::from(value);
            }
        }
    }
}

impl std::ops::AddAssign for ChannelSums {
    fn add_assign(&mut self, other: Self) {
        self.sum += other.sum;
        self.squares += other.squares;
    }
}

/// Normalisation by mean and standard deviation of each channel over the training images.
///
/// PyTorch equivalent: `transforms.Normalize(mean, std)`. The values here are 0 to 255 instead of 0 to 1; the result is
/// the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalise {
    mean: Vec<f32>,
    std: Vec<f32>,
    /// Normalised values by channel and 8-bit value.
    table: Vec<[f32; 256]>,
}

impl Normalise {
    /// Measures the images at `indices`. A run passes the training images only, so that validation images have no
    /// influence.
    ///
    /// The standard deviation is that of the population, from exact integer sums. A constant channel gets the standard
    /// deviation 1, so its normalised values are 0. Without images, the mean is 0 and the standard deviation 1.
    ///
    /// # Panics
    /// If an index is not below the number of images.
    pub fn fit(images: &Images, indices: &[usize]) -> Self {
        let count = (indices.len() * images.shape().height * images.shape().width) as f64;
        let moments = images.channel_sums(indices).into_iter().map(|ChannelSums { sum, squares }| {
            let mean = sum as f64 / count.max(1.0);
            // n sum(v^2) - sum(v)^2 is n^2 times the variance; exact integers cannot make it negative.
            let scaled = (count as u128) * u128::from(squares) - u128::from(sum) * u128::from(sum);
            let std = (scaled as f64).sqrt() / count.max(1.0);
            (mean as f32, if scaled == 0 { 1.0 } else { std as f32 })
        });
        let (mean, std): (Vec<f32>, Vec<f32>) = moments.unzip();
        let table = mean.iter().zip(&std).map(|(m, s)| std::array::from_fn(|value| (value as f32 - m) / s)).collect();
        Self { mean, std, table }
    }

    /// Mean of each channel, in pixel values (0 to 255).
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// Standard deviation of each channel, in pixel values; 1 for constant channels.
    pub fn std(&self) -> &[f32] {
        &self.std
    }

    /// Normalises one pixel value.
    pub(super) fn value(&self, channel: usize, value: u8) -> f32 {
        self.table[channel][usize::from(value)]
    }

    /// Normalises the values `[.., c]` of an image into `out`.
    pub(super) fn write(&self, image: &[u8], out: &mut [f32]) {
        let channels = self.table.len();
        for (pixel, place) in image.chunks_exact(channels).zip(out.chunks_exact_mut(channels)) {
            for ((place, &value), table) in place.iter_mut().zip(pixel).zip(&self.table) {
                *place = table[usize::from(value)];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ImageShape;
    use super::*;
    use proptest::prelude::*;

    fn images(pixels: Vec<u8>, channels: usize) -> Images {
        let shape = ImageShape { height: 1, width: 2, channels };
        let count = pixels.len() / shape.values();
        Images::new(shape, pixels, vec![0; count])
    }

    #[test]
    fn closed_form() {
        // Channel 0 holds 0, 2, 4, 6 (mean 3, variance 5), channel 1 is constant.
        let images = images(vec![0, 7, 2, 7, 4, 7, 6, 7, 255, 255, 255, 255], 2);
        let normalise = Normalise::fit(&images, &[0, 1]);
        assert_eq!(normalise.mean(), [3.0, 7.0]);
        assert_eq!(normalise.std(), [5f32.sqrt(), 1.0]);
        let mut out = [f32::NAN; 4];
        normalise.write(&images.pixels(1).unwrap(), &mut out);
        assert_eq!(out, [1.0 / 5f32.sqrt(), 0.0, 3.0 / 5f32.sqrt(), 0.0]);
    }

    #[test]
    fn no_image_changes_nothing() {
        let normalise = Normalise::fit(&images(vec![], 1), &[]);
        assert_eq!((normalise.mean(), normalise.std(), normalise.value(0, 9)), (&[0.0][..], &[1.0][..], 9.0));
    }

    proptest! {
        #[test]
        fn training_values_end_with_mean_0_and_variance_1(pixels in prop::collection::vec(any::<u8>(), 2..200)) {
            let pixels = pixels[..pixels.len() / 2 * 2].to_vec();
            prop_assume!(pixels.iter().any(|&value| value != pixels[0]));
            let images = images(pixels.clone(), 1);
            let indices: Vec<usize> = (0..images.len()).collect();
            let normalise = Normalise::fit(&images, &indices);
            let mut out = vec![f32::NAN; pixels.len()];
            normalise.write(&pixels, &mut out);
            let count = out.len() as f64;
            let mean = out.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
            let variance = out.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / count;
            prop_assert!(mean.abs() < 1e-4 && (variance - 1.0).abs() < 1e-4, "{mean} {variance}");
        }
    }
}
