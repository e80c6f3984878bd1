//! The input of kernels: values, and a batch normalisation that kernels apply while they read.

use super::{
    elementwise::rectified,
    image_group::group_len,
    simd::{Isa, Kernel, Lanes, dispatch, each_block},
};
use crate::shape::Dims;
use rayon::prelude::*;

/// Elements per strip, about: a strip stays in the first-level cache while its blocks of channels are read in turn.
pub const STRIP_LEN: usize = 2 * 1024;

/// A batch normalisation that is still to be applied, for each channel: `y = (x - mean) factor + shift`.
#[derive(Debug)]
pub struct PendingNorm {
    /// Mean of the channel.
    pub mean: Vec<f32>,
    /// `scale / sqrt(variance + EPS)`.
    pub factors: Vec<f32>,
    /// Learned shift.
    pub shift: Vec<f32>,
}

/// Values `[pixels, channels]`, and the normalisation that kernels apply to them while they read.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The values before normalisation.
    pub values: &'a [f32],
    /// The normalisation; `None` if the values are final.
    pub pending: Option<&'a PendingNorm>,
}

impl<'a> Source<'a> {
    /// A range of the values, which covers whole pixels.
    pub fn slice(self, range: std::ops::Range<usize>) -> Self {
        Self { values: &self.values[range], ..self }
    }

    /// Group `i` of the images of an activation of `dims`.
    pub fn group(self, i: usize, dims: Dims) -> Self {
        let size = group_len(dims);
        self.slice(i * size..((i + 1) * size).min(self.values.len()))
    }

    /// Writes the normalised values, after a ReLU if `rectify`; `self` is a whole activation of `dims`.
    pub fn write(self, dims: Dims, out: &mut [f32], rectify: bool) {
        let size = group_len(dims);
        out.par_chunks_mut(size).enumerate().for_each(|(i, out)| {
            self.slice(i * size..i * size + out.len()).write_pixels(dims.3, out, rectify);
        });
    }

    /// Writes the normalised values, after a ReLU if `rectify`, on this thread.
    pub fn write_pixels(self, channels: usize, out: &mut [f32], rectify: bool) {
        dispatch(WriteNormalised { out, source: self, channels, rectify });
    }

    /// Loads `count` channels of a pixel from channel `first` on, normalised by `norm`, after a ReLU if `rectify`.
    #[inline(always)]
    pub fn load<I: Isa, const N: usize>(
        norm: Option<NormLanes<N>>,
        pixel: &[f32],
        first: usize,
        count: usize,
        rectify: bool,
    ) -> Lanes<N> {
        let value = NormLanes::apply::<I>(norm, Lanes::load_some(pixel, first, count));
        if rectify { value.map(rectified) } else { value }
    }

    /// The pending normalisation of `count` channels from `first` on.
    #[inline(always)]
    pub fn norm_lanes<const N: usize>(&self, first: usize, count: usize) -> Option<NormLanes<N>> {
        let load = |v: &[f32]| Lanes::load_some(v, first, count);
        let lanes =
            |p: &PendingNorm| NormLanes { mean: load(&p.mean), factors: load(&p.factors), shift: load(&p.shift) };
        self.pending.map(lanes)
    }
}

/// The coefficients of a [`PendingNorm`] for the channels of one register.
#[derive(Clone, Copy)]
pub struct NormLanes<const N: usize> {
    mean: Lanes<N>,
    factors: Lanes<N>,
    shift: Lanes<N>,
}

impl<const N: usize> NormLanes<N> {
    /// Normalises the channels of a pixel; `None` leaves them unchanged.
    #[inline(always)]
    pub fn apply<I: Isa>(this: Option<Self>, values: Lanes<N>) -> Lanes<N> {
        match this {
            Some(Self { mean, factors, shift }) => shift.plus_product::<I>(values.minus(mean), factors),
            None => values,
        }
    }
}

/// Writes the normalised values of a source, after a ReLU if `rectify`.
struct WriteNormalised<'a> {
    out: &'a mut [f32],
    source: Source<'a>,
    channels: usize,
    rectify: bool,
}

impl Kernel for WriteNormalised<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { out, source, channels, rectify } = self;
        let strip = STRIP_LEN.div_ceil(channels) * channels;
        for (out, values) in out.chunks_mut(strip).zip(source.values.chunks(strip)) {
            each_block!(I, channels, |N, first, count| {
                let norm = source.norm_lanes::<N>(first, count);
                for (out, values) in out.chunks_exact_mut(channels).zip(values.chunks_exact(channels)) {
                    Source::load::<I, N>(norm, values, first, count, rectify).store_some(out, first, count);
                }
            });
        }
    }
}
