//! Covariance of the channels of an activation.
//!
//! The statistics of a 1 x 1 convolution `z = x w` follow from it: with `C` the covariance of the channels of `x`, the
//! means of `z` are `mean w` and its variances are the diagonal of `w' C w`.

use super::{
    buffer::Buffer,
    correlation::Correlation,
    dense::WeightGradient,
    image_group::group_count,
    norm::ChannelMoments,
    packed::{PanelLayout, max_panel_vectors},
    simd::{Isa, Kernel, Lanes, dispatch, each_block, whole_lanes},
    source::Source,
};
use crate::shape::Dims;
use rayon::prelude::*;

/// Elements per strip, about, so that it stays in the first-level cache.
const STRIP_LEN: usize = 4 * 1024;

/// Mean and covariance of the channels over all pixels of a batch.
#[derive(Debug)]
pub struct Covariance {
    /// Number of pixels.
    pub pixels: f64,
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// `[c, c]`, mean products of deviations from the mean.
    pub matrix: Vec<f32>,
}

impl Covariance {
    /// The covariance of an activation of `dims`, after a ReLU if `rectify`.
    pub fn new(x: Source<'_>, dims: Dims, rectify: bool) -> Self {
        let (channels, pixels) = (dims.3, x.values.len() / dims.3);
        // Differences from the first pixel are about as small as deviations from the mean, which is not known yet.
        let mut origin = vec![0.0; channels];
        x.slice(0..channels).write_pixels(channels, &mut origin, rectify);
        let groups = (0..group_count(dims)).into_par_iter();
        let groups = groups.map(|i| GroupSums::new(x.group(i, dims), dims, rectify, &origin)).collect::<Vec<_>>();
        let total = |of: fn(&GroupSums) -> &[f64]| {
            let mut total = vec![0.0; of(&groups[0]).len()];
            for group in &groups {
                total.iter_mut().zip(of(group)).for_each(|(total, more)| *total += more);
            }
            total.iter_mut().for_each(|total| *total /= pixels as f64);
            total
        };
        let (shift, products) = (total(|sums| &sums.channels), total(|sums| &sums.products));
        let matrix = products.chunks_exact(channels).zip(&shift).flat_map(|(row, first)| {
            row.iter().zip(&shift).map(move |(product, second)| (product - first * second) as f32)
        });
        Self {
            pixels: pixels as f64,
            mean: origin.iter().zip(&shift).map(|(origin, shift)| (f64::from(*origin) + shift) as f32).collect(),
            matrix: matrix.collect(),
        }
    }

    /// The moments of the outputs of a 1 x 1 convolution with weights `[c, outputs]`. `product` is `matrix` times the
    /// weights.
    pub fn output_moments(&self, weight: &[f32], product: &[f32], outputs: usize) -> Vec<ChannelMoments> {
        let mut moments = vec![ChannelMoments { count: self.pixels, mean: 0.0, squares: 0.0 }; outputs];
        for ((weights, products), mean) in
            weight.chunks_exact(outputs).zip(product.chunks_exact(outputs)).zip(&self.mean)
        {
            for ((moment, &weight), &product) in moments.iter_mut().zip(weights).zip(products) {
                moment.mean += f64::from(*mean) * f64::from(weight);
                moment.squares += f64::from(weight) * f64::from(product) * self.pixels;
            }
        }
        for moment in &mut moments {
            // Not `max(0)`: a NaN must stay a NaN.
            if moment.squares < 0.0 {
                moment.squares = 0.0;
            }
        }
        moments
    }
}

/// Sums over a group of images of differences from a centre, and of their products.
struct GroupSums {
    channels: Vec<f64>,
    products: Vec<f64>,
}

impl GroupSums {
    fn new(x: Source<'_>, dims: Dims, rectify: bool, centre: &[f32]) -> Self {
        let (pixels, channels) = (dims.1 * dims.2, dims.3);
        let stride = whole_lanes(channels);
        let plan = Correlation::pointwise(pixels, channels, stride);
        let layout = PanelLayout { rows: channels, columns: channels, max_vectors: max_panel_vectors() };
        let mut centred = Buffer::uninitialised(pixels * stride);
        let mut image_products = Buffer::uninitialised(layout.len());
        let mut sums = Self { channels: vec![0.0; stride], products: vec![0.0; channels * channels] };
        for i in 0..x.values.len() / (pixels * channels) {
            let source = x.slice(i * pixels * channels..(i + 1) * pixels * channels);
            dispatch(SubtractCentre { source, rectify, centre, out: &mut centred });
            dispatch(ChannelSums { values: &centred, totals: &mut sums.channels });
            image_products.fill(0.0);
            let total = image_products.as_chunks_mut().0;
            dispatch(WeightGradient {
                plan: &plan,
                layout,
                frame: &centred,
                dz: &centred,
                dz_pixels: &plan.sources,
                total,
            });
            // Sums are single precision within an image and double precision over images.
            layout.for_each_row(|index, row, columns| {
                let totals = &mut sums.products[row * channels + columns.start..][..columns.len()];
                totals.iter_mut().zip(&image_products[index..]).for_each(|(total, more)| *total += f64::from(*more));
            });
        }
        sums.channels.truncate(channels);
        sums
    }
}

/// Writes `x - centre` for each pixel `x`, after normalisation and, if `rectify`, a ReLU. Each pixel fills whole
/// registers.
pub struct SubtractCentre<'a> {
    pub source: Source<'a>,
    pub rectify: bool,
    pub centre: &'a [f32],
    pub out: &'a mut [f32],
}

impl Kernel for SubtractCentre<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { source, rectify, centre, out } = self;
        let channels = centre.len();
        let (stride, pixels) = (whole_lanes(channels), STRIP_LEN.div_ceil(channels));
        for (out, values) in out.chunks_mut(pixels * stride).zip(source.values.chunks(pixels * channels)) {
            each_block!(I, channels, |N, first, count| {
                let (scaling, centre) = (source.norm_lanes::<N>(first, count), Lanes::load_some(centre, first, count));
                for (out, values) in out.chunks_exact_mut(stride).zip(values.chunks_exact(channels)) {
                    let value = Source::load::<I, N>(scaling, values, first, count, rectify);
                    value.minus(centre).store_some(out, first, N);
                }
            });
        }
    }
}

/// Adds the sum of each channel to its total. Pixels fill whole registers and have as many elements as there are
/// totals.
pub struct ChannelSums<'a> {
    pub values: &'a [f32],
    pub totals: &'a mut [f64],
}

impl Kernel for ChannelSums<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { values, totals } = self;
        let stride = totals.len();
        for strip in values.chunks(STRIP_LEN.div_ceil(stride) * stride) {
            each_block!(I, stride, |N, at, count| {
                // Four sums, so that consecutive additions do not wait for each other.
                let mut sums = [Lanes::<N>::ZERO; 4];
                let mut fours = strip.chunks_exact(4 * stride);
                for pixels in &mut fours {
                    let mut p = 0;
                    while p < 4 {
                        sums[p] = sums[p].plus(Lanes::load_some(pixels, p * stride + at, count));
                        p += 1;
                    }
                }
                for pixel in fours.remainder().chunks_exact(stride) {
                    sums[0] = sums[0].plus(Lanes::load_some(pixel, at, count));
                }
                let sum = sums[0].plus(sums[1]).plus(sums[2].plus(sums[3]));
                let totals = &mut totals[at..at + count];
                totals.iter_mut().zip(sum.0).for_each(|(total, more)| *total += f64::from(more));
            });
        }
    }
}
