//! Convolution of one group of images, forward and backward.

use super::{Conv, Upstream};
use crate::cpu::{
    buffer::Buffer,
    correlation::{Correlation, Store},
    dense, depthwise,
    image::Source,
    packed::Packed,
    relu::rectified,
    simd::{Kernel, LANES, Lanes, each_block},
    winograd,
};

impl Conv {
    /// Whether an image can be read where it is, because its frame would be a copy of it.
    #[inline(always)]
    fn unframed(&self, x: Source<'_>) -> bool {
        !self.relu && x.pending.is_none() && self.parts == 1 && !self.depthwise && self.x_frame.fits(self.shape.size)
    }

    /// Frames the channels of a part of an image, after normalisation and ReLU if there are any.
    #[inline(always)]
    fn fill_input<const FMA: bool>(&self, part: usize, image: Source<'_>, frame: &mut [f32]) {
        let (channels, first) = (self.shape.c_in, part * self.inputs);
        let whole = self.parts == 1 && image.pending.is_none() && !self.depthwise;
        let [rows, width] = self.x_frame.rows(self.shape.size);
        for row in 0..rows {
            let out = self.x_frame.row(frame, row, width);
            if whole {
                // All channels lie next to each other, so a row is one piece.
                let pixels = &image.values[row * width * channels..][..width * channels];
                if self.relu {
                    out.iter_mut().zip(pixels).for_each(|(to, &from)| *to = rectified(from));
                } else {
                    out.copy_from_slice(pixels);
                }
                continue;
            }
            let count = self.inputs.min(channels - first);
            for (column, out) in out.chunks_exact_mut(self.x_frame.channels).enumerate() {
                let at = (row * width + column) * channels + first;
                each_block!(count, |block, count| {
                    let mut value = image.load::<FMA>(at + block, first + block, count);
                    if self.relu {
                        value = value.map(rectified);
                    }
                    // Channels on their own fill all lanes, with zeros after the last.
                    value.store_some(out, block, if self.depthwise { LANES } else { count });
                });
            }
        }
    }

    /// Frames the channels of a part of the gradient of an output image.
    #[inline(always)]
    fn fill_gradient<const FMA: bool>(&self, part: usize, upstream: Upstream<'_>, frame: &mut [f32]) {
        let (channels, first, some) = (self.shape.c_out, part * self.outputs, self.channels(part));
        let [rows, width] = self.dz_frame.rows(self.shape.out);
        for row in 0..rows {
            let out = self.dz_frame.row(frame, row, width);
            for (column, out) in out.chunks_exact_mut(self.dz_frame.channels).enumerate() {
                let at = (row * width + column) * channels + first;
                let dy = &upstream.dy[at..at + some];
                let z = upstream.norm.map(|(z, terms)| (&z[at..at + some], terms));
                each_block!(some, |block, count| {
                    let value = match z {
                        Some((z, terms)) => terms.some::<FMA>(first, dy, z, block, count),
                        None => Lanes::load_some(dy, block, count),
                    };
                    value.store_some(out, block, LANES);
                });
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

/// Adds the gradient of an input where the ReLU let it pass, or fills it.
struct Accumulate<'a> {
    dx: &'a mut [f32],
    fresh: bool,
    channels: usize,
    first: usize,
    /// The input after the ReLU, which is zero where it stopped something; and where its pixels are.
    rectified: Option<(&'a [f32], &'a [usize])>,
}

impl Store for Accumulate<'_> {
    #[inline(always)]
    fn store(&mut self, pixel: usize, channel: usize, values: Lanes, count: usize) {
        let at = pixel * self.channels + self.first + channel;
        let mut total = values;
        if let Some((x, pixels)) = self.rectified {
            let x = Lanes::load_some(x, pixels[pixel] + channel, count);
            total = total.zip(x, |value, x| if x == 0.0 { 0.0 } else { value });
        }
        if !self.fresh {
            total = total.plus(Lanes::load_some(self.dx, at, count));
        }
        total.store_some(self.dx, at, count);
    }
}

/// Convolves a group of images.
pub struct Forward<'a> {
    pub conv: &'a Conv,
    /// For each part.
    pub weights: &'a [Packed],
    pub x: Source<'a>,
    pub z: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let conv = self.conv;
        let (input, output) = (conv.shape.input_len(), conv.shape.output_len());
        let unframed = conv.unframed(self.x);
        let mut own_frame = if unframed { Buffer::stale(0) } else { conv.x_frame.empty(conv.shape.size) };
        let mut tiled = conv.scratch();
        for (i, z) in self.z.chunks_exact_mut(output).enumerate() {
            let x = self.x.part(i * input..(i + 1) * input);
            for (part, weights) in self.weights.iter().enumerate() {
                let frame = if unframed {
                    x.values
                } else {
                    conv.fill_input::<FMA>(part, x, &mut own_frame);
                    &own_frame
                };
                let mut store = Write { image: z, channels: conv.shape.c_out, first: part * conv.outputs };
                if let Some((tilings, scratch)) = &mut tiled {
                    let memory = (&mut scratch.x, &mut scratch.products);
                    winograd::correlate::<FMA>(&tilings.forward, weights, frame, memory, &mut store);
                } else if conv.depthwise {
                    depthwise::correlate::<FMA>(&conv.forward, weights, frame, &mut store);
                } else {
                    dense::correlate::<FMA>(&conv.forward, weights, frame, &mut store);
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
    /// Whether the gradient of the input is to be filled, not added to.
    pub fresh: bool,
}

/// Adds the gradient of a group of input images to `dx` or fills it, and returns that of the weights.
pub struct BackwardGroup<'a> {
    pub plans: &'a Backward<'a>,
    pub x: Source<'a>,
    pub upstream: Upstream<'a>,
    pub dx: Option<&'a mut [f32]>,
}

impl Kernel for BackwardGroup<'_> {
    type Output = Buffer;
    #[inline(always)]
    fn run<const FMA: bool>(mut self) -> Buffer {
        let Backward { conv, plans, weights, fresh } = self.plans;
        let (forward, pixels) = (&conv.forward, &conv.dz_pixels);
        let (input, output) = (conv.shape.input_len(), conv.shape.output_len());
        let reached = plans.iter().map(|plan| plan.targets.len()).sum::<usize>() == conv.x_pixels.len();
        let unframed = conv.unframed(self.x);
        let mut total = Buffer::zeroed(conv.gradient_layout(0).len() * conv.parts);
        let mut tiled = conv.scratch();
        let mut own_frame = if unframed { Buffer::stale(0) } else { conv.x_frame.empty(conv.shape.size) };
        let mut dz_frame = conv.dz_frame.empty(conv.shape.out);
        for i in 0..self.upstream.dy.len() / output {
            let upstream = self.upstream.part(i * output..(i + 1) * output);
            let x = self.x.part(i * input..(i + 1) * input);
            let mut dx = self.dx.as_mut().map(|dx| &mut dx[i * input..(i + 1) * input]);
            if let (true, false, Some(dx)) = (*fresh, reached, &mut dx) {
                dx.fill(0.0);
            }
            let totals = total.chunks_exact_mut(conv.gradient_layout(0).len());
            for ((part, weights), total) in weights.iter().enumerate().zip(totals) {
                let frame = if unframed {
                    x.values
                } else {
                    conv.fill_input::<FMA>(part, x, &mut own_frame);
                    &own_frame
                };
                conv.fill_gradient::<FMA>(part, upstream, &mut dz_frame);
                let (layout, total) = (conv.gradient_layout(part), total.as_chunks_mut().0);
                if let Some((tilings, scratch)) = &mut tiled {
                    let tilings = [&tilings.forward, &tilings.dz];
                    winograd::weight_gradient::<FMA>(tilings, layout, [frame, &dz_frame], scratch, total);
                } else if conv.depthwise {
                    depthwise::weight_gradient::<FMA>(forward, frame, &dz_frame, pixels, total);
                } else {
                    dense::weight_gradient::<FMA>(forward, layout, frame, &dz_frame, pixels, total);
                }
                let Some(dx) = dx.as_deref_mut() else { continue };
                let mut store = Accumulate {
                    dx,
                    fresh: *fresh && reached,
                    channels: conv.shape.c_in,
                    first: part * conv.inputs,
                    rectified: conv.relu.then_some((frame, &conv.x_pixels)),
                };
                for (plan, weights) in plans.iter().zip(weights) {
                    if let Some((tilings, scratch)) = &mut tiled {
                        let memory = (&mut scratch.dz, &mut scratch.products);
                        winograd::correlate::<FMA>(&tilings.backward, weights, &dz_frame, memory, &mut store);
                    } else if conv.depthwise {
                        depthwise::correlate::<FMA>(plan, weights, &dz_frame, &mut store);
                    } else {
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
        Forward { conv: &conv, weights: &weights, x: Source { values: &x, pending: None }, z: &mut z }.run::<FMA>();
        let plans = Correlation::backward(&conv.shape, &conv.dz_frame, !conv.depthwise);
        let back = |part| plans.iter().map(|plan| conv.pack_back(&w, part, plan)).collect();
        let plans =
            Backward { conv: &conv, weights: (0..conv.parts).map(back).collect(), plans: plans.clone(), fresh: false };
        let mut dx = vec![0.0; x.len()];
        let upstream = Upstream { dy: &wave(z.len()), norm: None };
        let total =
            BackwardGroup { plans: &plans, x: Source { values: &x, pending: None }, upstream, dx: Some(&mut dx) }
                .run::<FMA>();
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
