//! The kernels of batch normalisation, each for one group of images.
//!
//! Sums are single precision within a strip of pixels, which stays in the cache, and double precision over strips.

use crate::cpu::simd::{Isa, Kernel, Lanes, each_block};

/// Elements per strip, about.
const STRIP_LEN: usize = 4 * 1024;

/// Pixels per strip: at most 64, so that single-precision sums stay accurate.
fn strip_pixels(channels: usize) -> usize {
    (STRIP_LEN / channels).clamp(8, 64)
}

/// Count, mean and sum of squared deviations of the values of one channel.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChannelMoments {
    /// Number of values.
    pub count: f64,
    /// Mean of the values.
    pub mean: f64,
    /// Sum of squared deviations from the mean.
    pub squares: f64,
}

impl ChannelMoments {
    /// Merges the moments of other values (parallel variance of Chan et al., 1983), which stays accurate where the mean
    /// is much larger than the deviations.
    pub fn merge(&mut self, more: Self) {
        let count = self.count + more.count;
        let distance = more.mean - self.mean;
        self.mean += distance * more.count / count;
        self.squares += more.squares + distance * distance * self.count * more.count / count;
        self.count = count;
    }
}

/// Computes the moments of each channel of `z`, `[pixels, channels]`.
pub struct BatchMoments<'a> {
    pub z: &'a [f32],
    pub channels: usize,
}

impl Kernel for BatchMoments<'_> {
    type Output = Vec<ChannelMoments>;
    #[inline(always)]
    fn run<I: Isa>(self) -> Vec<ChannelMoments> {
        let Self { z, channels } = self;
        // Differences from the first pixel are about as small as deviations from the mean, which is not known yet.
        let first = &z[..channels];
        let mut sums = vec![[0.0_f64; 2]; channels];
        for strip in z.chunks(strip_pixels(channels) * channels) {
            each_block!(I, channels, |N, at, count| {
                let origin = Lanes::<N>::load_some(first, at, count);
                let [mut sum, mut squares] = [Lanes::ZERO; 2];
                for pixel in strip.chunks_exact(channels) {
                    let distance = Lanes::load_some(pixel, at, count).zip(origin, |z, origin| z - origin);
                    sum = sum.plus(distance);
                    squares = squares.plus_product::<I>(distance, distance);
                }
                add_lanes(&mut sums[at..at + count], sum, squares);
            });
        }
        let count = (z.len() / channels) as f64;
        let moments = |(&[sum, squares], &first): (&[f64; 2], &f32)| ChannelMoments {
            count,
            mean: f64::from(first) + sum / count,
            // Not `max(0)`: a NaN must stay a NaN.
            squares: if squares < sum * sum / count { 0.0 } else { squares - sum * sum / count },
        };
        sums.iter().zip(first).map(moments).collect()
    }
}

/// Adds one register of sums each to the first and second total of some channels.
#[inline(always)]
fn add_lanes<const N: usize>(totals: &mut [[f64; 2]], first: Lanes<N>, second: Lanes<N>) {
    for (lane, total) in totals.iter_mut().enumerate().take(N) {
        total[0] += f64::from(first.0[lane]);
        total[1] += f64::from(second.0[lane]);
    }
}

/// Computes the sums of `dy` and of `dy (z - mean)` for each channel.
pub struct BackwardSums<'a> {
    pub dy: &'a [f32],
    pub z: &'a [f32],
    pub mean: &'a [f32],
}

impl Kernel for BackwardSums<'_> {
    type Output = Vec<[f64; 2]>;
    #[inline(always)]
    fn run<I: Isa>(self) -> Vec<[f64; 2]> {
        let channels = self.mean.len();
        let mut sums = vec![[0.0_f64; 2]; channels];
        let strip = strip_pixels(channels) * channels;
        for (dy, z) in self.dy.chunks(strip).zip(self.z.chunks(strip)) {
            each_block!(I, channels, |N, at, count| {
                let mean = Lanes::<N>::load_some(self.mean, at, count);
                let [mut sum, mut products] = [Lanes::ZERO; 2];
                for (dy, z) in dy.chunks_exact(channels).zip(z.chunks_exact(channels)) {
                    let dy = Lanes::load_some(dy, at, count);
                    let centred = Lanes::load_some(z, at, count).zip(mean, |z, mean| z - mean);
                    sum = sum.plus(dy);
                    products = products.plus_product::<I>(dy, centred);
                }
                add_lanes(&mut sums[at..at + count], sum, products);
            });
        }
        sums
    }
}

/// The coefficients of the gradient of a normalised `z`, for each channel:
/// `dz = dy * coefficients.factor + (z - mean) * coefficients.centred + coefficients.constant`.
#[derive(Debug, Default)]
pub struct BackwardCoefficients {
    pub mean: Vec<f32>,
    pub factor: Vec<f32>,
    pub centred: Vec<f32>,
    pub constant: Vec<f32>,
}

impl BackwardCoefficients {
    /// The coefficients of `count` channels from `first` on.
    #[inline(always)]
    pub fn lanes<const N: usize>(&self, first: usize, count: usize) -> BackwardLanes<N> {
        let load = |v: &[f32]| Lanes::load_some(v, first, count);
        BackwardLanes {
            mean: load(&self.mean),
            factor: load(&self.factor),
            centred: load(&self.centred),
            constant: load(&self.constant),
        }
    }
}

/// [`BackwardCoefficients`] for the channels of one register.
#[derive(Clone, Copy)]
pub struct BackwardLanes<const N: usize> {
    mean: Lanes<N>,
    factor: Lanes<N>,
    centred: Lanes<N>,
    constant: Lanes<N>,
}

impl<const N: usize> BackwardLanes<N> {
    /// `dz` of one pixel.
    #[inline(always)]
    pub fn dz<I: Isa>(&self, dy: Lanes<N>, z: Lanes<N>) -> Lanes<N> {
        let constant = self.constant.plus_product::<I>(z.minus(self.mean), self.centred);
        constant.plus_product::<I>(dy, self.factor)
    }
}

/// Adds `dz` of a group of images to `dx`, or fills `dx` with it if `overwrite`.
pub struct AddInputGradient<'a> {
    pub coefficients: &'a BackwardCoefficients,
    pub dy: &'a [f32],
    pub z: &'a [f32],
    pub dx: &'a mut [f32],
    pub overwrite: bool,
}

impl Kernel for AddInputGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { coefficients, dy, z, dx, overwrite } = self;
        let channels = coefficients.mean.len();
        let strip = strip_pixels(channels) * channels;
        for ((dy, z), dx) in dy.chunks(strip).zip(z.chunks(strip)).zip(dx.chunks_mut(strip)) {
            each_block!(I, channels, |N, first, count| {
                let coefficients = coefficients.lanes::<N>(first, count);
                let pixels = dy.chunks_exact(channels).zip(z.chunks_exact(channels));
                for ((dy, z), dx) in pixels.zip(dx.chunks_exact_mut(channels)) {
                    let load = |v: &[f32]| Lanes::load_some(v, first, count);
                    let more = coefficients.dz::<I>(load(dy), load(z));
                    let old = if overwrite { Lanes::ZERO } else { load(dx) };
                    old.plus(more).store_some(dx, first, count);
                }
            });
        }
    }
}
