//! Convolution of one group of images, forward and backward.

use super::{Conv, Upstream};
use crate::cpu::{
    buffer::Buffer,
    correlation::{Correlation, Store},
    dense, depthwise,
    packed::Packed,
    relu::rectified,
    simd::{Kernel, Lanes},
};

impl Conv {
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

/// Convolves a group of images.
pub struct Forward<'a> {
    pub conv: &'a Conv,
    /// For each part.
    pub weights: &'a [Packed],
    pub x: &'a [f32],
    pub z: &'a mut [f32],
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

/// What the gradient of the input is computed with.
pub struct Backward<'a> {
    pub conv: &'a Conv,
    pub plans: Vec<Correlation>,
    /// For each part, the weights of each plan.
    pub weights: Vec<Vec<Packed>>,
}

/// Adds the gradient of a group of input images to `dx`, and returns that of the weights.
pub struct BackwardGroup<'a> {
    pub plans: &'a Backward<'a>,
    pub x: &'a [f32],
    pub upstream: Upstream<'a>,
    pub dx: &'a mut [f32],
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
    use crate::{ConvSpec, Window, shape::ConvShape};

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
