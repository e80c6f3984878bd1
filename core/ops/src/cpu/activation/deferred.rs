//! A normalised 1 x 1 convolution with many more outputs than inputs, which is computed where it is read.
//!
//! Its outputs are the largest activations of a network, and usually only a depthwise convolution reads them (inverted
//! residual: Sandler et al., MobileNetV2, CVPR 2018). That convolution computes some channels of an image at a time,
//! while they stay in the cache, so that the outputs are never in memory. For any other reader they are computed like
//! every activation.
//!
//! Let the rows of `x` be pixels, `z = x w` and `y = (z - mean) f + shift`. The statistics of `z` follow from the
//! [`Covariance`] `C` of the `n` pixels. The gradients follow from the [`ReaderSums`], which each reader accumulates
//! for the channels whose gradient `dy` it has just computed:
//!
//! ```text
//! q = (x - mean(x))' dy        s = sum dy        dx += dy (w f)'
//! ```
//!
//! With `p = sum dy (z - mean) = diag(w' q)`, the gradient of the convolution's output is
//! `dz = dy f + (z - mean) b + k`. The coefficients of each channel are
//! `f = scale / sqrt(variance + eps)`, `b = -f p / (n (variance + eps))` and `k = -f s / n`. Hence
//!
//! ```text
//! dw = x' dz = q f + n C w b   dx = dz w' = dy (w f)' + (x - mean(x)) (w b w') + k w'
//! ```

use super::CpuActivation;
use crate::{
    cpu::{
        buffer::Buffer,
        conv::Conv,
        correlation::Correlation,
        covariance::{Covariance, SubtractCentre},
        dense,
        elementwise::add_assign,
        norm::{AffineGradients, BatchNorm, ChannelMoments},
        packed::{PackedMatrix, PanelLayout, max_panel_vectors},
        simd::{dispatch, whole_lanes},
        source::{PendingNorm, Source},
        store::{Accumulate, Write},
    },
    shape::{Dims, elements},
};
use rayon::prelude::*;
use std::{
    ops::Range,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// Minimum expansion ratio (outputs per input channel) at which recomputing the outputs is faster than storing them.
const MIN_EXPANSION: usize = 3;
/// Minimum number of pixels per input channel at which sums over pixels cost much more than products of the sums.
const MIN_PIXELS_PER_INPUT: usize = 16;

/// A normalised 1 x 1 convolution whose outputs are computed where they are read.
pub struct DeferredPointwiseConv {
    /// The input of the convolution.
    pub input: CpuActivation,
    /// The normalisation of the outputs.
    pub pending: Arc<PendingNorm>,
    /// Subtracted from the input: the mean of each channel in the batch, or zeros if the statistics of the outputs are
    /// fixed.
    pub centre: Vec<f32>,
    conv: Conv,
    /// `[inputs, outputs]`.
    weight: Buffer,
    values: OnceLock<Buffer>,
    statistics: Option<InputStatistics>,
    sums: Mutex<Option<ReaderSums>>,
}

/// The statistics of the input that determine the batch statistics of the outputs.
pub struct InputStatistics {
    covariance: Covariance,
    /// The covariance times the weights, `[inputs, outputs]`.
    product: Vec<f32>,
}

impl InputStatistics {
    /// Statistics of the batch `x`, for a convolution with these weights.
    pub fn new(x: &CpuActivation, conv: &Conv, weight: &[f32]) -> Self {
        let (inputs, outputs) = (conv.input().3, conv.output().3);
        let covariance = Covariance::new(x.source(), conv.input(), conv.relu());
        let packed = pack(weight, outputs, 0..outputs);
        let product = product(&covariance.matrix, inputs, &packed);
        Self { covariance, product }
    }

    /// The moments of each output over the batch.
    pub fn output_moments(&self, weight: &[f32], outputs: usize) -> Vec<ChannelMoments> {
        self.covariance.output_moments(weight, &self.product, outputs)
    }
}

/// The sums over a batch from which the gradients of a [`DeferredPointwiseConv`] follow.
pub struct ReaderSums {
    /// `q`, `[inputs, outputs]`.
    pub products: Buffer,
    /// `s`, for each output.
    pub sums: Vec<f64>,
}

impl ReaderSums {
    /// Adds the sums over other pixels.
    pub fn add(&mut self, more: &Self) {
        add_assign(&mut self.products, &more.products);
        self.sums.iter_mut().zip(&more.sums).for_each(|(total, more)| *total += more);
    }
}

impl DeferredPointwiseConv {
    /// Whether deferring the outputs of a normalised convolution is faster, if a depthwise convolution reads them. For
    /// other readers, it costs the covariance in addition. `fixed`: its statistics are fixed.
    pub fn suits(conv: &Conv, fixed: bool, recording: bool) -> bool {
        let ((n, h, w, inputs), outputs) = (conv.input(), conv.output().3);
        let enough_pixels = if fixed { !recording } else { n * h * w >= MIN_PIXELS_PER_INPUT * inputs };
        conv.is_pointwise() && outputs >= MIN_EXPANSION * inputs && enough_pixels
    }

    /// Computes nothing yet. `statistics` are those of the batch; `None` if `norm` has fixed statistics.
    pub fn new(
        input: CpuActivation,
        conv: Conv,
        weight: Buffer,
        norm: &BatchNorm,
        statistics: Option<InputStatistics>,
    ) -> Self {
        let mean = statistics.as_ref().map(|statistics| statistics.covariance.mean.clone());
        Self {
            input,
            pending: Arc::new(norm.pending()),
            centre: mean.unwrap_or_else(|| vec![0.0; conv.input().3]),
            conv,
            weight,
            values: OnceLock::new(),
            statistics,
            sums: Mutex::new(None),
        }
    }

    /// Dimensions of the input.
    pub fn dims(&self) -> Dims {
        self.conv.input()
    }

    /// Dimensions of the output.
    pub fn output(&self) -> Dims {
        self.conv.output()
    }

    /// Whether a ReLU precedes the convolution.
    pub fn relu(&self) -> bool {
        self.conv.relu()
    }

    /// The convolution and its weights `[inputs, outputs]`.
    pub fn conv(&self) -> (&Conv, &[f32]) {
        (&self.conv, &self.weight)
    }

    /// Whether the outputs are in memory.
    pub fn is_computed(&self) -> bool {
        self.values.get().is_some()
    }

    /// The outputs before normalisation, computed at the first call.
    pub fn values(&self) -> &Buffer {
        self.values.get_or_init(|| self.compute(self.conv.output()))
    }

    /// The outputs before normalisation, for the first images: `dims` are the dimensions of the result.
    pub fn compute(&self, dims: Dims) -> Buffer {
        let mut z = Buffer::uninitialised(elements(dims));
        self.conv.forward(self.input.source(), &self.weight, &mut z, false);
        z
    }

    /// Writes input pixels after normalisation and ReLU, minus the centre, each in whole registers.
    pub fn write_centred(&self, pixels: Source<'_>, out: &mut [f32]) {
        dispatch(SubtractCentre { source: pixels, rectify: self.relu(), centre: &self.centre, out });
    }

    /// Writes input pixels after the ReLU, if there is one; their gradient is zero where they are zero.
    pub fn write_rectified(&self, pixels: Source<'_>, out: &mut [f32]) {
        if self.relu() {
            pixels.write_pixels(self.dims().3, out, true);
        }
    }

    /// Weights that map a centred input to some of the normalised outputs. Rows are input channels.
    pub fn pack(&self, outputs: Range<usize>) -> PackedMatrix {
        let PendingNorm { mean, factors, shift } = &*self.pending;
        let all = outputs.clone().zip(&factors[outputs.clone()]);
        // The outputs of an input that was centred at its mean have mean zero.
        let centred = self.statistics.is_some();
        let bias = all.map(|(c, factor)| if centred { shift[c] } else { shift[c] - mean[c] * factor });
        let bias = bias.collect::<Vec<_>>();
        let mut packed = pack(&self.weight, self.conv.output().3, outputs.clone()).with_bias(&bias);
        packed.scale(&factors[outputs]);
        packed
    }

    /// `(w f)'` for some outputs, which are the rows.
    pub fn pack_transposed(&self, outputs: Range<usize>) -> PackedMatrix {
        self.transposed(outputs, &self.pending.factors)
    }

    /// The transposed weights of some outputs, each output times its factor.
    fn transposed(&self, outputs: Range<usize>, factors: &[f32]) -> PackedMatrix {
        let all = self.conv.output().3;
        let layout = PanelLayout { rows: outputs.len(), columns: self.dims().3, max_vectors: max_panel_vectors() };
        PackedMatrix::new(layout, |row, inputs, out| {
            let output = outputs.start + row;
            out.iter_mut().zip(inputs).for_each(|(out, i)| *out = self.weight[i * all + output] * factors[output]);
        })
    }

    /// Adds the sums of one reader.
    pub fn add_sums(&self, more: ReaderSums) {
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *sums {
            None => *sums = Some(more),
            Some(total) => total.add(&more),
        }
    }

    /// Removes and returns the sums of all readers and the statistics of the batch; `None` if no reader added sums.
    pub fn take_sums(&self) -> Option<(ReaderSums, &InputStatistics)> {
        let sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some((sums, self.statistics.as_ref()?))
    }

    /// Completes the backward pass with the result of [`take_sums`](Self::take_sums): adds the gradient of the weights
    /// to `dw` and the rest of the gradient of the input to the input.
    pub fn backward(
        &self,
        (readers, statistics): (ReaderSums, &InputStatistics),
        norm: &BatchNorm,
        dw: &mut [f32],
    ) -> AffineGradients {
        let outputs = readers.sums.len();
        let mut sums = readers.sums.iter().map(|&sum| [sum, 0.0]).collect::<Vec<_>>();
        for (weights, products) in self.weight.chunks_exact(outputs).zip(readers.products.chunks_exact(outputs)) {
            for ((sum, weight), product) in sums.iter_mut().zip(weights).zip(products) {
                sum[1] += f64::from(*weight) * f64::from(*product);
            }
        }
        let (terms, affine) = norm.backward_from_sums(&sums);
        let pixels = statistics.covariance.pixels;
        let scaled = terms.centred.iter().map(|b| (f64::from(*b) * pixels) as f32).collect::<Vec<_>>();
        let rows = readers.products.chunks_exact(outputs).zip(statistics.product.chunks_exact(outputs));
        for (dw, (products, covariances)) in dw.chunks_exact_mut(outputs).zip(rows) {
            for (c, dw) in dw.iter_mut().enumerate() {
                *dw += products[c] * terms.factor[c] + covariances[c] * scaled[c];
            }
        }
        self.add_centred_gradient(&terms.centred, &terms.constant);
        affine
    }

    /// Adds `(x - mean(x)) (w b w') + k w'` to the gradient of the input.
    fn add_centred_gradient(&self, b: &[f32], k: &[f32]) {
        let (dims, outputs) = (self.dims(), b.len());
        let (pixels, inputs) = (dims.1 * dims.2, dims.3);
        let rows = self.weight.chunks_exact(outputs);
        let shift = rows.map(|weights| weights.iter().zip(k).map(|(w, k)| w * k).sum::<f32>()).collect::<Vec<_>>();
        let matrix = product(&self.weight, inputs, &self.transposed(0..outputs, b));
        let matrix = pack(&matrix, inputs, 0..inputs).with_bias(&shift);
        let stride = whole_lanes(inputs);
        let plan = Correlation::pointwise(pixels, inputs, stride);
        let offsets = (0..pixels).map(|pixel| pixel * inputs).collect::<Vec<_>>();
        let source = self.input.source();
        self.input.accumulate_gradient_groups(dims, |groups, overwrite| {
            groups.into_par_iter().enumerate().for_each(|(i, dx)| {
                let Some(dx) = dx else { return };
                let source = source.group(i, dims);
                let [mut centred, mut rectified] = [pixels * stride, pixels * inputs].map(Buffer::uninitialised);
                for (j, dx) in dx.chunks_exact_mut(pixels * inputs).enumerate() {
                    let source = source.slice(j * dx.len()..(j + 1) * dx.len());
                    self.write_centred(source, &mut centred);
                    self.write_rectified(source, &mut rectified);
                    let rectified = self.relu().then_some((&*rectified, &*offsets));
                    let store = Accumulate { dx, overwrite, channels: inputs, first: 0, rectified };
                    dispatch(dense::Correlate { plan: &plan, weights: &matrix, frame: &centred, store });
                }
            });
        });
    }
}

/// Some columns of a matrix.
fn pack(matrix: &[f32], columns: usize, some: Range<usize>) -> PackedMatrix {
    let layout = PanelLayout { rows: matrix.len() / columns, columns: some.len(), max_vectors: max_panel_vectors() };
    PackedMatrix::new(layout, |row, part, out| {
        out.copy_from_slice(&matrix[row * columns + some.start + part.start..][..part.len()]);
    })
}

/// The product of a matrix of `rows` with `other`.
fn product(matrix: &[f32], rows: usize, other: &PackedMatrix) -> Vec<f32> {
    let PanelLayout { rows: inner, columns, .. } = other.layout;
    let mut product = vec![0.0; rows * columns];
    let plan = Correlation::pointwise(rows, inner, inner);
    let store = Write { image: &mut product, channels: columns, first: 0 };
    dispatch(dense::Correlate { plan: &plan, weights: other, frame: matrix, store });
    product
}
