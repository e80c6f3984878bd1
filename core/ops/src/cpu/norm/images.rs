//! The passes of batch normalisation over one group of images.

use crate::cpu::simd::{Kernel, Lanes, blocks};

/// Sums of one group of images, for each channel: of `a`, and of `a (b - shift)`.
pub struct Sums<'a> {
    /// First factor.
    pub a: &'a [f32],
    /// Second factor.
    pub b: &'a [f32],
    /// Subtracted from `b` for each channel.
    pub shift: Option<&'a [f32]>,
    /// Number of channels.
    pub channels: usize,
}

/// For each channel the two sums.
pub type Pairs = Vec<[f64; 2]>;

impl Kernel for Sums<'_> {
    type Output = Pairs;
    #[inline(always)]
    fn run<const FMA: bool>(self) -> Pairs {
        let Self { a, b, shift, channels } = self;
        let mut pairs = vec![[0.0; 2]; channels];
        let (fours, rest) = pairs.as_chunks_mut::<4>();
        for (i, pairs) in fours.iter_mut().enumerate() {
            *pairs = four(a, b, shift, channels, 4 * i);
        }
        let first = channels - rest.len();
        for (a, b) in a.chunks_exact(channels).zip(b.chunks_exact(channels)) {
            for (pair, channel) in rest.iter_mut().zip(first..) {
                let shift = shift.map_or(0.0, |shift| f64::from(shift[channel]));
                pair[0] += f64::from(a[channel]);
                pair[1] += f64::from(a[channel]) * (f64::from(b[channel]) - shift);
            }
        }
        pairs
    }
}

/// The sums of four channels, which fill a register in double precision.
#[inline(always)]
fn four(a: &[f32], b: &[f32], shift: Option<&[f32]>, channels: usize, first: usize) -> [[f64; 2]; 4] {
    let double = |v: &[f32]| -> [f64; 4] {
        let v = &v[first..first + 4];
        std::array::from_fn(|i| f64::from(v[i]))
    };
    let shift = shift.map_or([0.0; 4], double);
    let (mut sums, mut products) = ([0.0; 4], [0.0; 4]);
    for (a, b) in a.chunks_exact(channels).zip(b.chunks_exact(channels)) {
        let (a, b) = (double(a), double(b));
        sums = std::array::from_fn(|i| sums[i] + a[i]);
        products = std::array::from_fn(|i| products[i] + a[i] * (b[i] - shift[i]));
    }
    std::array::from_fn(|i| [sums[i], products[i]])
}

/// `y = (z - mean) factors + shift` for a group of images.
pub struct Apply<'a> {
    pub z: &'a [f32],
    pub y: &'a mut [f32],
    pub mean: &'a [f32],
    pub factors: &'a [f32],
    pub shift: &'a [f32],
}

impl Kernel for Apply<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let channels = self.mean.len();
        for (y, z) in self.y.chunks_exact_mut(channels).zip(self.z.chunks_exact(channels)) {
            for (first, count) in blocks(channels) {
                let load = |v: &[f32]| Lanes::load_some(v, first, count);
                let centred = load(z).zip(load(self.mean), |z, mean| z - mean);
                load(self.shift).plus_product::<FMA>(centred, load(self.factors)).store_some(y, first, count);
            }
        }
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
    /// Writes `dz` of some channels of one pixel, from `channel` on.
    #[inline(always)]
    pub fn write<const FMA: bool>(&self, channel: usize, dy: &[f32], z: &[f32], dz: &mut [f32]) {
        for (first, count) in blocks(dz.len()) {
            self.some::<FMA>(channel, dy, z, first, count).store_some(dz, first, count);
        }
    }

    #[inline(always)]
    fn some<const FMA: bool>(&self, channel: usize, dy: &[f32], z: &[f32], first: usize, count: usize) -> Lanes {
        let of_channel = |v: &[f32]| Lanes::load_some(v, channel + first, count);
        let of_pixel = |v: &[f32]| Lanes::load_some(v, first, count);
        let centred = of_pixel(z).zip(of_channel(&self.mean), |z, mean| z - mean);
        let constant = of_channel(&self.constant).plus_product::<FMA>(centred, of_channel(&self.z));
        constant.plus_product::<FMA>(of_pixel(dy), of_channel(&self.dy))
    }
}

/// Adds `dz` of a group of images to `dx`.
pub struct AddGradient<'a> {
    pub terms: &'a Terms,
    pub dy: &'a [f32],
    pub z: &'a [f32],
    pub dx: &'a mut [f32],
}

impl Kernel for AddGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let channels = self.terms.mean.len();
        let pixels = self.dy.chunks_exact(channels).zip(self.z.chunks_exact(channels));
        for ((dy, z), dx) in pixels.zip(self.dx.chunks_exact_mut(channels)) {
            for (first, count) in blocks(channels) {
                let more = self.terms.some::<FMA>(0, dy, z, first, count);
                Lanes::load_some(dx, first, count).plus(more).store_some(dx, first, count);
            }
        }
    }
}
