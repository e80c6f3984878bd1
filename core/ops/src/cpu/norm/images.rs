//! The passes of batch normalisation over one group of images.
//!
//! Sums are taken in single precision over strips of pixels that stay in the cache, and in double precision over strips.

use crate::cpu::simd::{Isa, Kernel, Lanes, each_block};

/// Numbers of a strip.
const STRIP: usize = 4 * 1024;

/// Pixels of a strip; no more, so that sums in single precision stay exact enough.
fn strip(channels: usize) -> usize {
    (STRIP / channels).clamp(8, 64)
}

/// Mean of some numbers, and the sum of their squared distances from it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moment {
    /// How many numbers.
    pub count: f64,
    /// Their mean.
    pub mean: f64,
    /// Sum of squared distances from the mean.
    pub squares: f64,
}

impl Moment {
    /// Takes more numbers in; exact even where the mean is much larger than the distances.
    pub fn merge(&mut self, more: Self) {
        let count = self.count + more.count;
        let distance = more.mean - self.mean;
        self.mean += distance * more.count / count;
        self.squares += more.squares + distance * distance * self.count * more.count / count;
        self.count = count;
    }
}

/// The moments of each channel.
pub struct Spread<'a> {
    /// Whole pixels.
    pub z: &'a [f32],
    /// Number of channels.
    pub channels: usize,
}

impl Kernel for Spread<'_> {
    type Output = Vec<Moment>;
    #[inline(always)]
    fn run<I: Isa>(self) -> Vec<Moment> {
        let Self { z, channels } = self;
        // Distances from the first pixel are about as small as those from the mean.
        let first = &z[..channels];
        let mut sums = vec![[0.0_f64; 2]; channels];
        for strip in z.chunks(strip(channels) * channels) {
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
        let moment = |(&[sum, squares], &first): (&[f64; 2], &f32)| Moment {
            count,
            mean: f64::from(first) + sum / count,
            // A NaN stays one, which `max` would hide.
            squares: if squares < sum * sum / count { 0.0 } else { squares - sum * sum / count },
        };
        sums.iter().zip(first).map(moment).collect()
    }
}

#[inline(always)]
fn add_lanes<const N: usize>(totals: &mut [[f64; 2]], first: Lanes<N>, second: Lanes<N>) {
    for (lane, total) in totals.iter_mut().enumerate().take(N) {
        total[0] += f64::from(first.0[lane]);
        total[1] += f64::from(second.0[lane]);
    }
}

/// The sums of `dy` and of `dy (z - mean)`, for each channel.
pub struct Products<'a> {
    pub dy: &'a [f32],
    pub z: &'a [f32],
    pub mean: &'a [f32],
}

impl Kernel for Products<'_> {
    type Output = Vec<[f64; 2]>;
    #[inline(always)]
    fn run<I: Isa>(self) -> Vec<[f64; 2]> {
        let channels = self.mean.len();
        let mut sums = vec![[0.0_f64; 2]; channels];
        let numbers = strip(channels) * channels;
        for (dy, z) in self.dy.chunks(numbers).zip(self.z.chunks(numbers)) {
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

/// The gradient of `z` for each channel: `dz = dy * terms.dy + (z - mean) * terms.z + terms.constant`.
#[derive(Debug, Default)]
pub struct Terms {
    pub mean: Vec<f32>,
    pub dy: Vec<f32>,
    pub z: Vec<f32>,
    pub constant: Vec<f32>,
}

impl Terms {
    /// Those of some channels.
    #[inline(always)]
    pub fn of<const N: usize>(&self, first: usize, count: usize) -> ChannelTerms<N> {
        let load = |v: &[f32]| Lanes::load_some(v, first, count);
        ChannelTerms { mean: load(&self.mean), dy: load(&self.dy), z: load(&self.z), constant: load(&self.constant) }
    }
}

/// The terms of some channels, in registers.
#[derive(Clone, Copy)]
pub struct ChannelTerms<const N: usize> {
    mean: Lanes<N>,
    dy: Lanes<N>,
    z: Lanes<N>,
    constant: Lanes<N>,
}

impl<const N: usize> ChannelTerms<N> {
    /// `dz` of one pixel.
    #[inline(always)]
    pub fn dz<I: Isa>(&self, dy: Lanes<N>, z: Lanes<N>) -> Lanes<N> {
        let constant = self.constant.plus_product::<I>(z.minus(self.mean), self.z);
        constant.plus_product::<I>(dy, self.dy)
    }
}

/// Adds `dz` of a group of images to `dx`, or fills it.
pub struct AddGradient<'a> {
    pub terms: &'a Terms,
    pub dy: &'a [f32],
    pub z: &'a [f32],
    pub dx: &'a mut [f32],
    pub fresh: bool,
}

impl Kernel for AddGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { terms, dy, z, dx, fresh } = self;
        let channels = terms.mean.len();
        let numbers = strip(channels) * channels;
        for ((dy, z), dx) in dy.chunks(numbers).zip(z.chunks(numbers)).zip(dx.chunks_mut(numbers)) {
            each_block!(I, channels, |N, first, count| {
                let terms = terms.of::<N>(first, count);
                let pixels = dy.chunks_exact(channels).zip(z.chunks_exact(channels));
                for ((dy, z), dx) in pixels.zip(dx.chunks_exact_mut(channels)) {
                    let load = |v: &[f32]| Lanes::load_some(v, first, count);
                    let more = terms.dz::<I>(load(dy), load(z));
                    let old = if fresh { Lanes::ZERO } else { load(dx) };
                    old.plus(more).store_some(dx, first, count);
                }
            });
        }
    }
}
