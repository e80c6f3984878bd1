//! Convolution: its sizes and weights, and the operation on the tape.

mod images;

use super::{
    buffer::{Buffer, allocate, consume, into_tensor},
    contiguous,
    correlation::Correlation,
    frame::Frame,
    norm::{Terms, group},
    packed::{Layout, Packed},
    simd::{dispatch, whole_lanes},
};
use crate::{ConvSpec, OpError, Tensor4, shape::ConvShape};
use dfdx::{
    shapes::HasShape,
    tensor::{Cpu, Tape},
};
use images::{Backward, BackwardGroup, Forward};
use rayon::prelude::*;

/// As [`crate::reference::conv2d`].
pub fn conv2d<T: Tape<f32, Cpu>>(
    x: &Tensor4<Cpu>,
    weight: &Tensor4<Cpu>,
    spec: ConvSpec,
    tape: &mut T,
) -> Result<Tensor4<Cpu>, OpError> {
    let op = "conv2d";
    let conv = Conv::new(ConvShape::new(op, *x.shape(), *weight.shape(), spec)?, false);
    let (x, weight) = (contiguous(op, x, tape)?, contiguous(op, weight, tape)?);
    let device = x.device().clone();
    let mut z = allocate(op, &device, conv.output())?;
    conv.forward(&Buffer::read(&x), &Buffer::read(&weight), &mut z, |_| ());
    let y = into_tensor(op, &device, z, conv.output())?;
    if T::OWNS_TAPE {
        let output = y.ghost();
        tape.add_backward_op(move |grads| {
            let dy = consume(&device, grads.get_or_alloc_mut(&output)?)?;
            let (values, weights) = (Buffer::read(&x), Buffer::read(&weight));
            let upstream = Upstream { dy: &dy, norm: None };
            let slots = conv.backward(&values, &weights, upstream, grads.get_or_alloc_mut(&x)?);
            conv.add_weight_gradient(&slots, grads.get_or_alloc_mut(&weight)?);
            Ok(())
        });
    }
    Ok(y)
}

/// A convolution of certain sizes, after a ReLU or not.
pub struct Conv {
    shape: ConvShape,
    relu: bool,
    /// Whether every channel is on its own; then all of them are one part.
    depthwise: bool,
    /// Parts that are computed one after the other: the groups.
    parts: usize,
    /// Input and output channels of a part.
    inputs: usize,
    outputs: usize,
    x_frame: Frame,
    dz_frame: Frame,
    forward: Correlation,
    dz_pixels: Vec<usize>,
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
        let depthwise = shape.groups > 1 && shape.groups == shape.c_in && shape.c_in == shape.c_out;
        let parts = if depthwise { 1 } else { shape.groups };
        let (inputs, outputs) = (shape.c_in / parts, shape.c_out / parts);
        let x_frame = Frame::of_input(&shape, if depthwise { whole_lanes(inputs) } else { inputs });
        let dz_frame = Frame::of_output(&shape, outputs);
        Self {
            shape,
            relu,
            depthwise,
            parts,
            inputs,
            outputs,
            x_frame,
            dz_frame,
            forward: Correlation::forward(&shape, &x_frame, !depthwise),
            dz_pixels: dz_frame.pixels(shape.out),
        }
    }

    /// `[n, h', w', c_out]`.
    pub fn output(&self) -> (usize, usize, usize, usize) {
        (self.shape.n, self.shape.out[0], self.shape.out[1], self.shape.c_out)
    }

    fn input(&self) -> (usize, usize, usize, usize) {
        (self.shape.n, self.shape.size[0], self.shape.size[1], self.shape.c_in)
    }

    /// Fills `z`, and calls `then` on each group of images while it is in the cache; returns what it returned.
    pub fn forward<R: Send>(
        &self,
        x: &[f32],
        weight: &[f32],
        z: &mut [f32],
        then: impl Fn(&[f32]) -> R + Sync,
    ) -> Vec<R> {
        let weights = (0..self.parts).map(|part| self.pack(weight, part)).collect::<Vec<_>>();
        let groups = z.par_chunks_mut(group(self.output())).zip(x.par_chunks(group(self.input())));
        groups
            .map(|(z, x)| {
                dispatch(Forward { conv: self, weights: &weights, x, z });
                then(z)
            })
            .collect()
    }

    /// Adds the gradient of the input to `dx`, and returns that of the weights for each group of images.
    pub fn backward(&self, x: &[f32], weight: &[f32], upstream: Upstream<'_>, dx: &mut [f32]) -> Vec<Buffer> {
        let plans = Correlation::backward(&self.shape, &self.dz_frame, !self.depthwise);
        let parts = 0..self.parts;
        let weights = parts.map(|part| plans.iter().map(|plan| self.pack_back(weight, part, plan)).collect()).collect();
        let plans = Backward { conv: self, plans, weights };
        let (input, output) = (group(self.input()), group(self.output()));
        let groups = dx.par_chunks_mut(input).zip(x.par_chunks(input)).enumerate();
        groups
            .map(|(i, (dx, x))| {
                let upstream = upstream.part(i * output..((i + 1) * output).min(upstream.dy.len()));
                dispatch(BackwardGroup { plans: &plans, x, upstream, dx })
            })
            .collect()
    }

    /// Adds up the gradients of all groups of images, in order.
    pub fn add_weight_gradient(&self, groups: &[Buffer], dw: &mut [f32]) {
        let layout = self.layout();
        for group in groups {
            for (part, part_gradient) in group.chunks_exact(layout.len()).enumerate() {
                layout.for_each(|index, row, column| dw[self.weight(part, row, column)] += part_gradient[index]);
            }
        }
    }

    /// Rows are `(tap, input)` and columns outputs; for a depthwise convolution taps and channels.
    fn layout(&self) -> Layout {
        let inputs = if self.depthwise { 1 } else { self.inputs };
        Layout { rows: self.forward.taps.len() * inputs, columns: self.outputs, widest: self.widest() }
    }

    fn widest(&self) -> usize {
        if self.depthwise { 1 } else { 2 }
    }

    /// Index in the weights of a row and column of the layout.
    fn weight(&self, part: usize, row: usize, column: usize) -> usize {
        row * self.shape.c_out + part * self.outputs + column
    }

    fn pack(&self, weight: &[f32], part: usize) -> Packed {
        Packed::new(self.layout(), |row, column| weight[self.weight(part, row, column)])
    }

    /// Weights for the gradient of the input: rows are `(tap, output)` and columns inputs.
    fn pack_back(&self, weight: &[f32], part: usize, plan: &Correlation) -> Packed {
        let kernel = self.shape.window.kernel;
        let tap = |i: usize| plan.taps[i][0] * kernel[1] + plan.taps[i][1];
        if self.depthwise {
            let layout = Layout { rows: plan.taps.len(), columns: self.inputs, widest: 1 };
            return Packed::new(layout, |row, column| weight[self.weight(part, tap(row), column)]);
        }
        let outputs = self.dz_frame.channels;
        let layout = Layout { rows: plan.taps.len() * outputs, columns: self.inputs, widest: 2 };
        Packed::new(layout, |row, column| {
            let output = row % outputs;
            // The frame has zeros beyond the last output.
            if output >= self.outputs {
                return 0.0;
            }
            weight[self.weight(part, tap(row / outputs) * self.inputs + column, output)]
        })
    }
}
