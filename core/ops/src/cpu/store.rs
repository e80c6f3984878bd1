//! Destinations of the outputs of a correlation.

use super::simd::Lanes;

/// A destination of the outputs of a correlation.
pub trait Store {
    /// Stores the first `count` of `values`, which are the channels of a pixel from `channel` on.
    fn store<const N: usize>(&mut self, pixel: usize, channel: usize, values: Lanes<N>, count: usize);
}

/// Writes outputs into an image of `channels` channels, shifted by `first` channels.
pub struct Write<'a> {
    pub image: &'a mut [f32],
    pub channels: usize,
    pub first: usize,
}

impl Store for Write<'_> {
    #[inline(always)]
    fn store<const N: usize>(&mut self, pixel: usize, channel: usize, values: Lanes<N>, count: usize) {
        values.store_some(self.image, pixel * self.channels + self.first + channel, count);
    }
}

/// Adds the gradient of an input to `dx`, or fills `dx` if `overwrite`. The gradient is zero where a ReLU was inactive.
pub struct Accumulate<'a> {
    pub dx: &'a mut [f32],
    pub overwrite: bool,
    pub channels: usize,
    pub first: usize,
    /// The input after its ReLU, with the offset of each pixel; `None` without a ReLU.
    pub rectified: Option<(&'a [f32], &'a [usize])>,
}

impl Store for Accumulate<'_> {
    #[inline(always)]
    fn store<const N: usize>(&mut self, pixel: usize, channel: usize, values: Lanes<N>, count: usize) {
        let at = pixel * self.channels + self.first + channel;
        let mut total = values;
        if let Some((x, pixels)) = self.rectified {
            let x = Lanes::load_some(x, pixels[pixel] + channel, count);
            total = total.zip(x, |value, x| if x == 0.0 { 0.0 } else { value });
        }
        if !self.overwrite {
            total = total.plus(Lanes::load_some(self.dx, at, count));
        }
        total.store_some(self.dx, at, count);
    }
}
