//! A normalised 1 x 1 convolution with many more outputs than inputs, which is computed where it is read.
//!
//! Its outputs are the largest values of a network, and a depthwise convolution is all that reads them (the inverted
//! residual of Sandler et al., MobileNetV2, CVPR 2018). That one computes some channels of an image at a time, while they
//! stay in the cache, so that they never are in memory; for any other reader they are computed like every value.
//!
//! Let the rows of `x` be pixels, `z = x w` and `y = (z - mean) f + shift`. The statistics of `z` follow from the
//! [`Covariance`] `C` of the `n` pixels. The gradients follow from what the reader adds up while it has the gradient `dy`
//! of some channels at hand:
//!
//! ```text
//! q = (x - mean(x))' dy        s = sum dy        dx = dy (w f)'
//! ```
//!
//! For with `p = sum dy (z - mean) = diag(w' q)` the gradient of the convolution's output is
//! `dz = dy f + (z - mean) b + k`, where `f`, `b` and `k` are numbers for each channel that depend on `s` and `p`, so that
//!
//! ```text
//! dw = x' dz = q f + n C w b   dx = dz w' = dy (w f)' + (x - mean(x)) (w b w') + k w'
//! ```

use super::{
    buffer::Buffer,
    contiguous,
    conv::Conv,
    correlation::Correlation,
    covariance::{Centre, Covariance},
    dense,
    image::{Image, Pending, Source},
    norm::{Norm, Vectors, add},
    packed::{Layout, Packed, widest},
    simd::{dispatch, whole_lanes},
    store::{Accumulate, Write},
};
use crate::{
    Moments, NormArgs, OpError, Tensor4,
    shape::{Dims, check_norm, elements},
};
use dfdx::tensor::{Cpu, Tape};
use rayon::prelude::*;
use std::{
    ops::Range,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// Outputs for an input from which on it is worth not to keep them.
const WORTHWHILE: usize = 3;
/// Pixels for an input from which on sums over pixels cost much more than products of the sums.
const ENOUGH: usize = 16;

/// The convolution and where it stands.
pub struct Expansion {
    /// What comes in.
    pub input: Image,
    /// What is to be done to the outputs.
    pub pending: Arc<Pending>,
    /// The mean of the input's channels in the batch; zeros if the statistics of the outputs are fixed.
    pub centre: Vec<f32>,
    conv: Conv,
    /// `[inputs, outputs]`.
    weight: Buffer,
    values: OnceLock<Buffer>,
    batch: Option<Batch>,
    gathered: Mutex<Option<Gathered>>,
}

/// What the statistics of a batch were computed from.
struct Batch {
    covariance: Covariance,
    /// Its matrix times the weights, `[inputs, outputs]`.
    product: Vec<f32>,
}

/// What readers have added up.
pub struct Gathered {
    /// `q`, `[inputs, outputs]`.
    pub products: Buffer,
    /// `s`, for each output.
    pub sums: Vec<f64>,
}

/// Whether the outputs of a normalised convolution are better computed where they are read.
pub fn suits(conv: &Conv, fixed: bool, taped: bool) -> bool {
    let ((n, h, w, inputs), outputs) = (conv.input(), conv.output().3);
    let enough = if fixed { !taped } else { n * h * w >= ENOUGH * inputs };
    conv.is_pointwise() && outputs >= WORTHWHILE * inputs && enough
}

/// As [`crate::reference::unit`], for a convolution that [`suits`].
pub fn unit<T: Tape<f32, Cpu>>(
    x: &Image,
    weight: &Tensor4<Cpu>,
    conv: Conv,
    norm: NormArgs<'_, Cpu>,
    tape: &mut T,
) -> Result<(Image, Moments<Cpu>), OpError> {
    let (op, dims) = ("unit", conv.output());
    check_norm(op, dims.3, &norm)?;
    let tensor = contiguous(op, weight, tape)?;
    let weight = Buffer::read(&tensor);
    let batch = norm.fixed.is_none().then(|| Batch::new(x, &conv, &weight));
    let moments = || batch.iter().map(|batch| batch.covariance.moments(&weight, &batch.product, dims.3)).collect();
    let (norm, affine) = Norm::new(op, norm, tape, dims, moments)?;
    let expansion = Arc::new(Expansion {
        input: x.clone(),
        pending: Arc::new(norm.pending()),
        centre: batch.as_ref().map_or(vec![0.0; conv.input().3], |batch| batch.covariance.mean.clone()),
        conv,
        weight,
        values: OnceLock::new(),
        batch,
        gathered: Mutex::new(None),
    });
    let y = Image::expansion(dims, expansion.clone());
    let moments = norm.moments(op)?;
    if T::OWNS_TAPE {
        let output = y.slot();
        tape.add_backward_op(move |grads| {
            if let (Some(gathered), Some(batch)) = (expansion.take(), &expansion.batch) {
                let vectors = expansion.backward(batch, &gathered, &norm, grads.get_or_alloc_mut(&tensor)?);
                vectors.add_to(grads, affine.as_ref())?;
            }
            // The gradient from readers for which the outputs were computed.
            if let Some(dy) = output.take() {
                let Expansion { input, conv, weight, .. } = &*expansion;
                let vectors = conv.backward_normalised(
                    input,
                    weight,
                    (&norm, expansion.values()),
                    &dy,
                    grads.get_or_alloc_mut(&tensor)?,
                );
                vectors.add_to(grads, affine.as_ref())?;
            }
            Ok(())
        });
    }
    Ok((y, moments))
}

impl Batch {
    fn new(x: &Image, conv: &Conv, weight: &[f32]) -> Self {
        let (inputs, outputs) = (conv.input().3, conv.output().3);
        let covariance = Covariance::new(x.source(), conv.input(), conv.relu());
        let packed = pack(weight, outputs, 0..outputs);
        let product = product(&covariance.matrix, inputs, &packed);
        Self { covariance, product }
    }
}

impl Expansion {
    /// Dimensions of the input.
    pub fn dims(&self) -> Dims {
        self.conv.input()
    }

    /// Whether the input passes a ReLU first.
    pub fn relu(&self) -> bool {
        self.conv.relu()
    }

    /// Whether the outputs are in memory.
    pub fn is_computed(&self) -> bool {
        self.values.get().is_some()
    }

    /// The outputs, before normalisation.
    pub fn values(&self) -> &Buffer {
        self.values.get_or_init(|| self.compute(self.conv.output()))
    }

    /// The outputs for the first images.
    pub fn compute(&self, dims: Dims) -> Buffer {
        let mut z = Buffer::stale(elements(dims));
        self.conv.forward(&self.input, &self.weight, &mut z, |_| ());
        z
    }

    /// Writes pixels as the convolution multiplies them, less the centre, each in whole registers.
    pub fn centred(&self, pixels: Source<'_>, out: &mut [f32]) {
        dispatch(Centre { source: pixels, rectify: self.relu(), centre: &self.centre, out });
    }

    /// Writes pixels after the ReLU, if there is one: where they are zero the gradient stops.
    pub fn rectified(&self, pixels: Source<'_>, out: &mut [f32]) {
        if self.relu() {
            pixels.write_pixels(self.dims().3, out, true);
        }
    }

    /// The weights that give some of the outputs, normalised, from a centred input, whose channels are the rows.
    pub fn pack(&self, outputs: Range<usize>) -> Packed {
        let Pending { mean, factors, shift } = &*self.pending;
        let all = outputs.clone().zip(&factors[outputs.clone()]);
        // A centred input gives outputs without their mean.
        let start = all.map(|(c, factor)| if self.batch.is_some() { shift[c] } else { shift[c] - mean[c] * factor });
        let start = start.collect::<Vec<_>>();
        let mut packed = pack(&self.weight, self.conv.output().3, outputs.clone()).with_start(&start);
        packed.scale(&factors[outputs]);
        packed
    }

    /// `(w f)'` for some outputs, which are the rows.
    pub fn pack_back(&self, outputs: Range<usize>) -> Packed {
        self.transposed(outputs, &self.pending.factors)
    }

    /// The transposed weights of some outputs, each times its factor.
    fn transposed(&self, outputs: Range<usize>, factors: &[f32]) -> Packed {
        let all = self.conv.output().3;
        let layout = Layout { rows: outputs.len(), columns: self.dims().3, widest: widest() };
        Packed::new(layout, |row, inputs, out| {
            let output = outputs.start + row;
            out.iter_mut().zip(inputs).for_each(|(out, i)| *out = self.weight[i * all + output] * factors[output]);
        })
    }

    /// Takes what a reader has added up.
    pub fn gather(&self, more: Gathered) {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *gathered {
            None => *gathered = Some(more),
            Some(total) => total.add(&more),
        }
    }

    fn take(&self) -> Option<Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Adds the gradient of the weights to `dw` and what is left of that of the input to its own.
    fn backward(&self, batch: &Batch, gathered: &Gathered, norm: &Norm, dw: &mut [f32]) -> Vectors {
        let outputs = gathered.sums.len();
        let mut sums = gathered.sums.iter().map(|&sum| [sum, 0.0]).collect::<Vec<_>>();
        for (weights, products) in self.weight.chunks_exact(outputs).zip(gathered.products.chunks_exact(outputs)) {
            for ((sum, weight), product) in sums.iter_mut().zip(weights).zip(products) {
                sum[1] += f64::from(*weight) * f64::from(*product);
            }
        }
        let (terms, vectors) = norm.terms(&sums);
        let spread = terms.z.iter().map(|z| (f64::from(*z) * batch.covariance.pixels) as f32).collect::<Vec<_>>();
        let rows = gathered.products.chunks_exact(outputs).zip(batch.product.chunks_exact(outputs));
        for (dw, (products, spreads)) in dw.chunks_exact_mut(outputs).zip(rows) {
            for (c, dw) in dw.iter_mut().enumerate() {
                *dw += products[c] * terms.dy[c] + spreads[c] * spread[c];
            }
        }
        self.add_rest(&terms.z, &terms.constant);
        vectors
    }

    /// Adds `(x - mean(x)) (w b w') + k w'` to the gradient of the input.
    fn add_rest(&self, b: &[f32], k: &[f32]) {
        let (dims, outputs) = (self.dims(), b.len());
        let (pixels, inputs) = (dims.1 * dims.2, dims.3);
        let rows = self.weight.chunks_exact(outputs);
        let shift = rows.map(|weights| weights.iter().zip(k).map(|(w, k)| w * k).sum::<f32>()).collect::<Vec<_>>();
        let matrix = product(&self.weight, inputs, &self.transposed(0..outputs, b));
        let matrix = pack(&matrix, inputs, 0..inputs).with_start(&shift);
        let stride = whole_lanes(inputs);
        let plan = Correlation::pointwise(pixels, inputs, stride);
        let offsets = (0..pixels).map(|pixel| pixel * inputs).collect::<Vec<_>>();
        let source = self.input.source();
        self.input.gradient_groups(dims, |groups, fresh| {
            groups.into_par_iter().enumerate().for_each(|(i, dx)| {
                let Some(dx) = dx else { return };
                let source = source.group(i, dims);
                let [mut centred, mut rectified] = [pixels * stride, pixels * inputs].map(Buffer::stale);
                for (j, dx) in dx.chunks_exact_mut(pixels * inputs).enumerate() {
                    let source = source.part(j * dx.len()..(j + 1) * dx.len());
                    self.centred(source, &mut centred);
                    self.rectified(source, &mut rectified);
                    let rectified = self.relu().then_some((&*rectified, &*offsets));
                    let store = Accumulate { dx, fresh, channels: inputs, first: 0, rectified };
                    dispatch(dense::Correlate { plan: &plan, weights: &matrix, frame: &centred, store });
                }
            });
        });
    }
}

impl Gathered {
    /// Adds the sums of other pixels.
    pub fn add(&mut self, more: &Self) {
        add(&mut self.products, &more.products);
        self.sums.iter_mut().zip(&more.sums).for_each(|(total, more)| *total += more);
    }
}

/// Some columns of a matrix.
fn pack(matrix: &[f32], columns: usize, some: Range<usize>) -> Packed {
    let layout = Layout { rows: matrix.len() / columns, columns: some.len(), widest: widest() };
    Packed::new(layout, |row, part, out| {
        out.copy_from_slice(&matrix[row * columns + some.start + part.start..][..part.len()]);
    })
}

/// A matrix of `rows` times another.
fn product(matrix: &[f32], rows: usize, other: &Packed) -> Vec<f32> {
    let Layout { rows: inner, columns, .. } = other.layout;
    let mut product = vec![0.0; rows * columns];
    let plan = Correlation::pointwise(rows, inner, inner);
    let store = Write { image: &mut product, channels: columns, first: 0 };
    dispatch(dense::Correlate { plan: &plan, weights: other, frame: matrix, store });
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Activation, ConvSpec, UnitSpec, Window,
        cpu::{
            simd::{Limit, limited},
            tests::wave,
        },
    };
    use dfdx::prelude::*;

    fn spec(groups: usize, kernel: usize, relu: bool) -> UnitSpec {
        UnitSpec { relu, conv: ConvSpec { window: Window::same(kernel, 1, 1), groups } }
    }

    /// Hidden channels, which nobody has computed.
    fn hidden<T: Tape<f32, Cpu>>(x: &Image, weight: &Tensor4<Cpu>, tape: &mut T) -> Image {
        let y = x.unit(weight, spec(1, 1, false), NormArgs::BATCH, tape).unwrap().0;
        assert!(y.uncomputed().is_some());
        y
    }

    /// Output and gradients of the input and both weights.
    fn chain() -> Vec<Vec<f32>> {
        let tensors = [(3, 12, 10, 20), (1, 1, 20, 76), (3, 3, 1, 76)].map(wave);
        let mut tape = OwnedTape::default();
        let x = <Image as Activation<Cpu>>::enter(&tensors[0], &mut tape).unwrap();
        let y = hidden(&x, &tensors[1], &mut tape).unit(&tensors[2], spec(76, 3, true), NormArgs::BATCH, &mut tape);
        let y = Activation::leave(&y.unwrap().0, &mut tape).unwrap();
        let values = y.as_vec();
        let grads = y.put_tape(tape).square().sum::<(), _>().backward();
        tensors.iter().map(|tensor| grads.get(tensor).as_vec()).chain([values]).collect()
    }

    #[test]
    fn wide_registers_give_the_same_bits() {
        // On one thread, which the limit is for.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let [wide, fused] = pool.install(|| [chain(), limited(Limit::Fused, chain)]);
        assert_eq!(wide, fused);
    }

    #[test]
    fn the_first_images_are_computed_alone() {
        let x = <Image as Activation<Cpu>>::constant(&wave((17, 4, 3, 2))).unwrap();
        let y = hidden(&x, &wave((1, 1, 2, 9)), &mut NoneTape);
        let first = Activation::first(&y, 10).unwrap().as_vec();
        assert!(y.uncomputed().is_some());
        assert_eq!(first, Activation::leave(&y, &mut NoneTape).unwrap().as_vec()[..first.len()]);
        assert!(y.uncomputed().is_none());
    }
}
