//! Convolution of one group of images, forward and backward, and the operation on the tape.

use super::{
    buffer::{Buffer, allocate, consume, into_tensor},
    contiguous,
    correlation::{Correlation, Store},
    dense, depthwise,
    frame::Frame,
    norm::{Terms, group},
    packed::{Layout, Packed},
    relu::rectified,
    simd::{Kernel, Lanes, dispatch, whole_lanes},
};
use crate::{ConvSpec, OpError, Tensor4, shape::ConvShape};
use dfdx::{
    shapes::HasShape,
    tensor::{Cpu, Tape},
};
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

    /// Frames the channels of a part of an image, after the ReLU if there is one.
    #[inline(always)]
    fn fill_input(&self, part: usize, image: &[f32], frame: &mut [f32]) {
        let (width, channels) = (self.shape.size[1], self.shape.c_in);
        // Where all channels lie next to each other, a row is one piece.
        let whole = self.inputs == channels && self.x_frame.channels == channels;
        let (pieces, piece) = if whole { (1, width * channels) } else { (width, self.inputs) };
        for (row, pixels) in image.chunks_exact(width * channels).enumerate() {
            let out = self.x_frame.row(frame, row, width);
            for i in 0..pieces {
                let from = &pixels[i * channels + part * self.inputs..][..piece];
                let to = &mut out[i * self.x_frame.channels..][..piece];
                if self.relu {
                    to.iter_mut().zip(from).for_each(|(to, &from)| *to = rectified(from));
                } else {
                    to.copy_from_slice(from);
                }
            }
        }
    }

    /// Frames the channels of a part of the gradient of an output image.
    #[inline(always)]
    fn fill_gradient<const FMA: bool>(&self, part: usize, upstream: Upstream<'_>, frame: &mut [f32]) {
        let (width, channels, first) = (self.shape.out[1], self.shape.c_out, part * self.outputs);
        for row in 0..self.shape.out[0] {
            let out = self.dz_frame.row(frame, row, width);
            for (column, out) in out.chunks_exact_mut(self.dz_frame.channels).enumerate() {
                let at = (row * width + column) * channels + first;
                let out = &mut out[..self.outputs];
                let dy = &upstream.dy[at..][..self.outputs];
                match upstream.norm {
                    Some((z, terms)) => terms.write::<FMA>(first, dy, &z[at..][..self.outputs], out),
                    None => out.copy_from_slice(dy),
                }
            }
        }
    }
}

/// Writes outputs into an image.
struct Write<'a> {
    image: &'a mut [f32],
    channels: usize,
    first: usize,
}

impl Store for Write<'_> {
    #[inline(always)]
    fn store(&mut self, pixel: usize, channel: usize, values: Lanes, count: usize) {
        values.store_some(self.image, pixel * self.channels + self.first + channel, count);
    }
}

/// Adds the gradient of an input where the ReLU let it pass.
struct Accumulate<'a> {
    dx: &'a mut [f32],
    x: &'a [f32],
    relu: bool,
    channels: usize,
    first: usize,
}

impl Store for Accumulate<'_> {
    #[inline(always)]
    fn store(&mut self, pixel: usize, channel: usize, values: Lanes, count: usize) {
        let at = pixel * self.channels + self.first + channel;
        let passed = if self.relu {
            values.zip(Lanes::load_some(self.x, at, count), |value, x| if x <= 0.0 { 0.0 } else { value })
        } else {
            values
        };
        Lanes::load_some(self.dx, at, count).plus(passed).store_some(self.dx, at, count);
    }
}

struct Forward<'a> {
    conv: &'a Conv,
    weights: &'a [Packed],
    x: &'a [f32],
    z: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let conv = self.conv;
        let mut frame = conv.x_frame.empty();
        let images = self.x.chunks_exact(conv.shape.input_len()).zip(self.z.chunks_exact_mut(conv.shape.output_len()));
        for (x, z) in images {
            for (part, weights) in self.weights.iter().enumerate() {
                conv.fill_input(part, x, &mut frame);
                let mut store = Write { image: z, channels: conv.shape.c_out, first: part * conv.outputs };
                if conv.depthwise {
                    depthwise::correlate::<FMA>(&conv.forward, weights, &frame, &mut store);
                } else {
                    dense::correlate::<FMA>(&conv.forward, weights, &frame, &mut store);
                }
            }
        }
    }
}

struct Backward<'a> {
    conv: &'a Conv,
    plans: Vec<Correlation>,
    /// For each part, the weights of each plan.
    weights: Vec<Vec<Packed>>,
}

struct BackwardGroup<'a> {
    plans: &'a Backward<'a>,
    x: &'a [f32],
    upstream: Upstream<'a>,
    dx: &'a mut [f32],
}

impl Kernel for BackwardGroup<'_> {
    type Output = Buffer;
    #[inline(always)]
    fn run<const FMA: bool>(self) -> Buffer {
        let Backward { conv, plans, weights } = self.plans;
        let (layout, forward, pixels) = (conv.layout(), &conv.forward, &conv.dz_pixels);
        let (input, output) = (conv.shape.input_len(), conv.shape.output_len());
        let mut total = Buffer::zeroed(layout.len() * conv.parts);
        let (mut x_frame, mut dz_frame) = (conv.x_frame.empty(), conv.dz_frame.empty());
        for (i, (x, dx)) in self.x.chunks_exact(input).zip(self.dx.chunks_exact_mut(input)).enumerate() {
            let upstream = self.upstream.part(i * output..(i + 1) * output);
            for ((part, weights), total) in weights.iter().enumerate().zip(total.chunks_exact_mut(layout.len())) {
                conv.fill_input(part, x, &mut x_frame);
                conv.fill_gradient::<FMA>(part, upstream, &mut dz_frame);
                let total = total.as_chunks_mut().0;
                let (channels, first) = (conv.shape.c_in, part * conv.inputs);
                let mut store = Accumulate { dx, x, relu: conv.relu, channels, first };
                if conv.depthwise {
                    depthwise::weight_gradient::<FMA>(forward, layout, &x_frame, &dz_frame, pixels, total);
                    for (plan, weights) in plans.iter().zip(weights) {
                        depthwise::correlate::<FMA>(plan, weights, &dz_frame, &mut store);
                    }
                } else {
                    dense::weight_gradient::<FMA>(forward, layout, &x_frame, &dz_frame, pixels, total);
                    for (plan, weights) in plans.iter().zip(weights) {
                        dense::correlate::<FMA>(plan, weights, &dz_frame, &mut store);
                    }
                }
            }
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Window;

    /// Output, gradient of the input and gradient of the weights of one image.
    fn run<const FMA: bool>(groups: usize, weight: (usize, usize, usize, usize)) -> [Vec<f32>; 3] {
        let spec = ConvSpec { window: Window::same(3, 2, 1), groups };
        let conv = Conv::new(ConvShape::new("conv2d", (1, 7, 9, 12), weight, spec).unwrap(), true);
        let wave = |len: usize| (0..len).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>();
        let (x, w) = (wave(conv.shape.input_len()), wave(weight.0 * weight.1 * weight.2 * weight.3));
        let mut z = vec![0.0; conv.shape.output_len()];
        let weights = (0..conv.parts).map(|part| conv.pack(&w, part)).collect::<Vec<_>>();
        Forward { conv: &conv, weights: &weights, x: &x, z: &mut z }.run::<FMA>();
        let plans = Correlation::backward(&conv.shape, &conv.dz_frame, !conv.depthwise);
        let back = |part| plans.iter().map(|plan| conv.pack_back(&w, part, plan)).collect();
        let plans = Backward { conv: &conv, weights: (0..conv.parts).map(back).collect(), plans: plans.clone() };
        let mut dx = vec![0.0; x.len()];
        let upstream = Upstream { dy: &wave(z.len()), norm: None };
        let total = BackwardGroup { plans: &plans, x: &x, upstream, dx: &mut dx }.run::<FMA>();
        [z, dx, total.to_vec()]
    }

    #[test]
    fn the_portable_code_agrees_with_fused_multiply_add() {
        for (groups, weight) in [(1, (3, 3, 12, 20)), (3, (3, 3, 4, 6)), (12, (3, 3, 1, 12))] {
            for (portable, fused) in run::<false>(groups, weight).iter().zip(run::<true>(groups, weight)) {
                for (portable, fused) in portable.iter().zip(fused) {
                    assert!((portable - fused).abs() <= 1e-5 * (1.0 + fused.abs()), "{portable} {fused}");
                }
            }
        }
    }
}
