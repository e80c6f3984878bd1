//! Convolution: its sizes and weights, and the operation on the tape.

mod expanded;
mod images;

use super::{
    buffer::Buffer,
    contiguous,
    correlation::Correlation,
    frame::Frame,
    image::{Image, Source},
    norm::{Norm, Terms, Vectors, add, group},
    packed::{Layout, Packed, widest},
    simd::LANES,
    winograd::{self, Tiling},
};
use crate::{
    ConvSpec, OpError, Tensor4, Window,
    shape::{ConvShape, Dims, elements},
};
use dfdx::{
    shapes::HasShape,
    tensor::{Cpu, Tape},
};
use expanded::Expanded;
use images::Backward;
use rayon::prelude::*;

/// Numbers of the weight gradient that one task adds up.
const CHUNK: usize = 8 * 1024;
/// Numbers of a piece of an image, which is to stay in the second-level cache with its result.
const PIECE: usize = 16 * 1024;

/// As [`crate::reference::conv2d`].
pub fn conv2d<T: Tape<f32, Cpu>>(
    x: &Image,
    weight: &Tensor4<Cpu>,
    spec: ConvSpec,
    tape: &mut T,
) -> Result<Image, OpError> {
    let op = "conv2d";
    let conv = Conv::new(ConvShape::new(op, x.dims, *weight.shape(), spec)?, false);
    let weight = contiguous(op, weight, tape)?;
    let mut z = Buffer::stale(elements(conv.output()));
    conv.forward(x, &Buffer::read(&weight), &mut z, |_| ());
    let y = Image::new(conv.output(), z);
    if T::OWNS_TAPE {
        let (x, output) = (x.clone(), y.slot());
        tape.add_backward_op(move |grads| {
            let Some(dy) = output.take() else { return Ok(()) };
            let upstream = Upstream { dy: &dy, norm: None };
            conv.backward(&x, &Buffer::read(&weight), upstream, grads.get_or_alloc_mut(&weight)?);
            Ok(())
        });
    }
    Ok(y)
}

/// A convolution of certain sizes, after a ReLU or not.
pub struct Conv {
    /// Dimensions of the input and of the output.
    dims: [Dims; 2],
    /// That of the pieces that are computed one after the other: whole images, or some of their rows.
    shape: ConvShape,
    relu: bool,
    /// Whether every channel is on its own.
    depthwise: bool,
    /// Parts that are computed one after the other: the groups, or eight channels each that are on their own.
    parts: usize,
    /// Input and output channels of a part.
    inputs: usize,
    outputs: usize,
    x_frame: Frame,
    dz_frame: Frame,
    forward: Correlation,
    x_pixels: Vec<usize>,
    dz_pixels: Vec<usize>,
    tilings: Option<Tilings>,
}

/// Where every output has a pixel of its own, rows of images that stay in the cache take the place of images.
fn pieces(shape: ConvShape) -> ConvShape {
    let ConvShape { n, size: [h, w], window, .. } = shape;
    if window != Window::same(1, 1, 1) {
        return shape;
    }
    let fits = |rows: &usize| rows * w * shape.c_in.max(shape.c_out) <= PIECE;
    let rows = (1..=h).rev().filter(|rows| h.is_multiple_of(*rows)).find(fits).unwrap_or(1);
    ConvShape { n: n * (h / rows), size: [rows, w], out: [rows, w], ..shape }
}

/// Tiles for a convolution with fewer multiplications.
struct Tilings {
    /// Under the outputs, in the frame of the input.
    forward: Tiling,
    /// Under the gradient of the input, in the frame of the gradient of the output.
    backward: Tiling,
    /// The gradient of the output itself.
    dz: Tiling,
}

/// The gradient of the convolution's output, in full or before the normalisation's share in it.
#[derive(Clone, Copy)]
pub struct Upstream<'a> {
    /// The gradient that arrived.
    pub dy: &'a [f32],
    /// The convolution's output, and what its gradient is made of.
    pub norm: Option<(&'a [f32], &'a Terms)>,
}

impl<'a> Upstream<'a> {
    /// That of some images.
    fn part(self, range: std::ops::Range<usize>) -> Self {
        let norm = self.norm.map(|(z, terms)| (&z[range.clone()], terms));
        Self { dy: &self.dy[range], norm }
    }
}

impl Conv {
    /// Lays out frames and offsets.
    pub fn new(shape: ConvShape, relu: bool) -> Self {
        let dims = [(shape.size, shape.c_in), (shape.out, shape.c_out)].map(|([h, w], c)| (shape.n, h, w, c));
        let shape = pieces(shape);
        let depthwise = shape.groups > 1 && shape.groups == shape.c_in && shape.c_in == shape.c_out;
        let parts = if depthwise { shape.c_in.div_ceil(LANES) } else { shape.groups };
        let (inputs, outputs) = if depthwise { (LANES, LANES) } else { (shape.c_in / parts, shape.c_out / parts) };
        let mut x_frame = Frame::of_input(&shape, inputs);
        let mut dz_frame = Frame::of_output(&shape, outputs);
        let tiled = !depthwise && winograd::suits(&shape, inputs, outputs);
        let tilings = tiled.then(|| {
            x_frame = x_frame.with_room([0, 0], winograd::room(shape.out, 2));
            dz_frame = dz_frame.with_room([0, 0], winograd::room(shape.size, 2));
            dz_frame = dz_frame.with_room(dz_frame.before, winograd::room(shape.out, 0));
            Tilings {
                forward: Tiling::new(&x_frame, [0, 0], shape.out),
                backward: Tiling::new(&dz_frame, [0, 0], shape.size),
                dz: Tiling::new(&dz_frame, dz_frame.before, shape.out),
            }
        });
        Self {
            dims,
            shape,
            relu,
            depthwise,
            parts,
            inputs,
            outputs,
            x_frame,
            dz_frame,
            forward: Correlation::forward(&shape, &x_frame, !depthwise),
            x_pixels: x_frame.pixels(shape.size),
            dz_pixels: dz_frame.pixels(shape.out),
            tilings,
        }
    }

    /// `[n, h', w', c_out]`.
    pub fn output(&self) -> Dims {
        self.dims[1]
    }

    /// `[n, h, w, c_in]`.
    pub fn input(&self) -> Dims {
        self.dims[0]
    }

    /// Whether the input passes a ReLU first.
    pub fn relu(&self) -> bool {
        self.relu
    }

    /// Whether every output depends on one pixel, and on all channels of it.
    pub fn is_pointwise(&self) -> bool {
        self.shape.window == Window::same(1, 1, 1) && self.shape.groups == 1
    }

    /// Fills `z`, and calls `then` on each group of images while it is in the cache; returns what it returned.
    pub fn forward<R: Send>(
        &self,
        x: &Image,
        weight: &[f32],
        z: &mut [f32],
        then: impl Fn(&[f32]) -> R + Sync,
    ) -> Vec<R> {
        let weights = (0..self.parts).map(|part| self.pack(weight, part)).collect::<Vec<_>>();
        let (input, output) = (self.shape.input_len(), self.shape.output_len());
        let groups = z.par_chunks_mut(group(self.output())).enumerate();
        if let Some(expanded) = Expanded::new(self, x) {
            let expand = |(i, z): (usize, &mut [f32])| {
                expanded.forward(i, &weights, z);
                then(z)
            };
            return groups.map(expand).collect();
        }
        let x = x.source();
        groups
            .map(|(i, z)| {
                let first = i * group(self.input());
                let x = x.part(first..first + z.len() / output * input);
                images::forward(self, &weights, x, z);
                then(z)
            })
            .collect()
    }

    /// Adds the gradient of the weights to `dw`, and that of the input to its own.
    pub fn backward(&self, x: &Image, weight: &[f32], upstream: Upstream<'_>, dw: &mut [f32]) {
        let groups = match Expanded::new(self, x) {
            Some(expanded) => expanded.backward(weight, upstream),
            None => {
                let plans = if x.wants_gradient() {
                    Correlation::backward(&self.shape, &self.dz_frame, !self.depthwise)
                } else {
                    vec![]
                };
                x.gradient_groups(self.input(), |dx, fresh| {
                    self.backward_groups(x.source(), weight, upstream, plans, dx, fresh)
                })
            }
        };
        self.add_weight_gradient(groups, dw);
    }

    /// The same for a convolution that is normalised next; returns the gradients of scale and shift.
    pub fn backward_normalised(
        &self,
        x: &Image,
        weight: &[f32],
        (norm, z): (&Norm, &[f32]),
        dy: &[f32],
        dw: &mut [f32],
    ) -> Vectors {
        let (terms, vectors) = norm.backward(dy, z, self.output());
        self.backward(x, weight, Upstream { dy, norm: Some((z, &terms)) }, dw);
        vectors
    }

    /// Adds the gradient of the input to each group of `dx`, or fills it, and returns that of the weights from each.
    fn backward_groups(
        &self,
        x: Source<'_>,
        weight: &[f32],
        upstream: Upstream<'_>,
        plans: Vec<Correlation>,
        dx: Vec<Option<&mut [f32]>>,
        fresh: bool,
    ) -> Vec<Buffer> {
        let plans = Backward { conv: self, weights: self.pack_all_back(weight, &plans), plans, fresh };
        let output = group(self.output());
        let groups = dx.into_par_iter().enumerate();
        groups
            .map(|(i, dx)| {
                let upstream = upstream.part(i * output..((i + 1) * output).min(upstream.dy.len()));
                images::backward(&plans, x.group(i, self.input()), upstream, dx)
            })
            .collect()
    }

    /// Adds up the gradients of all groups of images, in order.
    fn add_weight_gradient(&self, mut groups: Vec<Buffer>, dw: &mut [f32]) {
        let Some((total, rest)) = groups.split_first_mut() else { return };
        total.par_chunks_mut(CHUNK).enumerate().for_each(|(i, total)| {
            rest.iter().for_each(|group| add(total, &group[i * CHUNK..][..total.len()]));
        });
        for (part, packed) in total.chunks_exact(self.gradient_layout(0).len()).enumerate() {
            let taps = self.tilings.as_ref().map(|_| winograd::gradient(packed, self.layout(part)));
            let packed = taps.as_deref().unwrap_or(packed);
            self.layout(part).for_each_row(|index, row, columns| {
                let at = self.weight(part, row, columns.start);
                add(&mut dw[at..at + columns.len()], &packed[index..index + columns.len()]);
            });
        }
    }

    /// Rows are `(tap, input)` and columns outputs; for a depthwise convolution taps and channels.
    fn layout(&self, part: usize) -> Layout {
        let inputs = if self.depthwise { 1 } else { self.inputs };
        Layout { rows: self.forward.taps.len() * inputs, columns: self.channels(part), widest: self.widest() }
    }

    /// How the gradient of the weights is added up.
    fn gradient_layout(&self, part: usize) -> Layout {
        if self.tilings.is_some() { winograd::transformed(self.layout(part)) } else { self.layout(part) }
    }

    fn widest(&self) -> usize {
        if self.depthwise { 1 } else { widest() }
    }

    /// Output channels of a part; only where channels are on their own can the last part have fewer.
    fn channels(&self, part: usize) -> usize {
        self.outputs.min(self.shape.c_out - part * self.outputs)
    }

    /// Index in the weights of a row and column of the layout.
    fn weight(&self, part: usize, row: usize, column: usize) -> usize {
        row * self.shape.c_out + part * self.outputs + column
    }

    fn pack(&self, weight: &[f32], part: usize) -> Packed {
        self.transformed(Packed::new(self.layout(part), |row, columns, out| {
            out.copy_from_slice(&weight[self.weight(part, row, columns.start)..][..columns.len()]);
        }))
    }

    /// Weights as the kernels want them.
    fn transformed(&self, taps: Packed) -> Packed {
        if self.tilings.is_some() { winograd::transform(&taps) } else { taps }
    }

    /// For each part, the weights of each plan for the gradient of the input.
    fn pack_all_back(&self, weight: &[f32], plans: &[Correlation]) -> Vec<Vec<Packed>> {
        (0..self.parts).map(|part| plans.iter().map(|plan| self.pack_back(weight, part, plan)).collect()).collect()
    }

    /// Whether the plans for the gradient of the input reach each of its pixels.
    fn reached(&self, plans: &[Correlation]) -> bool {
        plans.iter().map(|plan| plan.targets.len()).sum::<usize>() == self.x_pixels.len()
    }

    /// Weights for the gradient of the input: rows are `(tap, output)` and columns inputs.
    fn pack_back(&self, weight: &[f32], part: usize, plan: &Correlation) -> Packed {
        let kernel = self.shape.window.kernel;
        let tap = |i: usize| plan.taps[i][0] * kernel[1] + plan.taps[i][1];
        if self.depthwise {
            let layout = Layout { rows: plan.taps.len(), columns: self.channels(part), widest: 1 };
            return Packed::new(layout, |row, columns, out| {
                out.copy_from_slice(&weight[self.weight(part, tap(row), columns.start)..][..columns.len()]);
            });
        }
        let outputs = self.dz_frame.channels;
        let layout = Layout { rows: plan.taps.len() * outputs, columns: self.inputs, widest: widest() };
        self.transformed(Packed::new(layout, |row, columns, out| {
            let output = row % outputs;
            // The frame has zeros beyond the last output.
            if output < self.outputs {
                let first = tap(row / outputs) * self.inputs;
                let value = |column| weight[self.weight(part, first + column, output)];
                out.iter_mut().zip(columns).for_each(|(out, column)| *out = value(column));
            }
        }))
    }
}
