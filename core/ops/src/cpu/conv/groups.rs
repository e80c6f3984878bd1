//! The passes of a convolution over one group of images.

use super::{Conv, OutputGradient, Tilings};
use crate::cpu::{
    buffer::Buffer,
    correlation::Correlation,
    dense, depthwise,
    elementwise::rectified,
    packed::PackedMatrix,
    simd::{Isa, Kernel, Lanes, dispatch, each_block},
    source::Source,
    store::{Accumulate, Store, Write},
    winograd::{self, TileScratch, Tiling, TransformedTiles},
};

impl Conv {
    /// Whether kernels read an image directly, because its frame would be an exact copy.
    #[inline(always)]
    fn unframed(&self, x: Source<'_>) -> bool {
        !self.relu
            && x.pending.is_none()
            && self.parts == 1
            && !self.depthwise
            && self.x_frame.has_no_border(self.shape.size)
    }
}

/// Copies the channels of one part of an image into a frame, after the pending normalisation and the ReLU, if any.
struct FrameInput<'a> {
    conv: &'a Conv,
    part: usize,
    image: Source<'a>,
    frame: &'a mut [f32],
}

impl Kernel for FrameInput<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { conv, part, image, frame } = self;
        let (channels, first) = (conv.shape.c_in, part * conv.inputs);
        let whole = conv.parts == 1 && image.pending.is_none() && !conv.depthwise;
        let [rows, width] = conv.x_frame.rows(conv.shape.size);
        for row in 0..rows {
            let out = conv.x_frame.row(frame, row, width);
            let pixels = &image.values[row * width * channels..][..width * channels];
            if whole {
                // The part has all channels, so a row of pixels is contiguous.
                if conv.relu {
                    out.iter_mut().zip(pixels).for_each(|(to, &from)| *to = rectified(from));
                } else {
                    out.copy_from_slice(pixels);
                }
                continue;
            }
            each_block!(I, conv.inputs.min(channels - first), |N, block, count| {
                let scaling = image.norm_lanes::<N>(first + block, count);
                for (out, pixel) in out.chunks_exact_mut(conv.x_frame.channels).zip(pixels.chunks_exact(channels)) {
                    let value = Source::load::<I, N>(scaling, pixel, first + block, count, conv.relu);
                    // Depthwise kernels read whole registers, so unused lanes are written as zeros.
                    value.store_some(out, block, if conv.depthwise { N } else { count });
                }
            });
        }
    }
}

/// Copies the channels of one part of an output image's gradient into a frame.
pub struct FrameGradient<'a> {
    pub conv: &'a Conv,
    pub part: usize,
    pub upstream: OutputGradient<'a>,
    pub frame: &'a mut [f32],
}

impl Kernel for FrameGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { conv, part, upstream, frame } = self;
        let (channels, first, some) = (conv.shape.c_out, part * conv.outputs, conv.channels(part));
        let [rows, width] = conv.dz_frame.rows(conv.shape.out);
        for row in 0..rows {
            let out = conv.dz_frame.row(frame, row, width);
            let row = row * width * channels..(row + 1) * width * channels;
            each_block!(I, some, |N, block, count| {
                let channel = first + block;
                let dy = upstream.dy[row.clone()].chunks_exact(channels);
                let pixels = out.chunks_exact_mut(conv.dz_frame.channels).zip(dy);
                if let Some((z, coefficients)) = upstream.norm {
                    let coefficients = coefficients.lanes::<N>(channel, count);
                    for ((out, dy), z) in pixels.zip(z[row.clone()].chunks_exact(channels)) {
                        let [dy, z] = [Lanes::load_some(dy, channel, count), Lanes::load_some(z, channel, count)];
                        coefficients.dz::<I>(dy, z).store_some(out, block, N);
                    }
                } else {
                    for (out, dy) in pixels {
                        Lanes::<N>::load_some(dy, channel, count).store_some(out, block, N);
                    }
                }
            });
        }
    }
}

/// Memory for one image of a group.
struct GroupScratch<'a> {
    /// Whether kernels read images directly; `frame` is empty then.
    unframed: bool,
    frame: Buffer,
    /// The tiles and their memory, if Winograd's algorithm computes the convolution.
    tiled: Option<(&'a Tilings, TileScratch)>,
}

impl<'a> GroupScratch<'a> {
    fn new(conv: &'a Conv, x: Source<'_>) -> Self {
        let unframed = conv.unframed(x);
        let frame = if unframed { Buffer::uninitialised(0) } else { conv.x_frame.empty(conv.shape.size) };
        let scratch = || TileScratch::new(conv.x_frame.channels, conv.dz_frame.channels);
        Self { unframed, frame, tiled: conv.tilings.as_ref().map(|tilings| (tilings, scratch())) }
    }
}

/// The values of an image in its frame.
fn framed<'a>(conv: &Conv, part: usize, image: Source<'a>, unframed: bool, frame: &'a mut [f32]) -> &'a [f32] {
    if unframed {
        return image.values;
    }
    dispatch(FrameInput { conv, part, image, frame });
    frame
}

/// The tiles of an image, and memory for them.
struct TiledPass<'a> {
    tiling: &'a Tiling,
    points: &'a mut TransformedTiles,
    products: &'a mut [f32],
}

/// Computes a correlation with the kernels that suit the convolution.
fn correlate(
    conv: &Conv,
    plan: &Correlation,
    weights: &PackedMatrix,
    frame: &[f32],
    tiled: Option<TiledPass<'_>>,
    mut store: impl Store,
) {
    if let Some(TiledPass { tiling, points, products }) = tiled {
        winograd::correlate(tiling, weights, frame, points, products, &mut store);
    } else if conv.depthwise {
        dispatch(depthwise::Correlate { plan, weights, frame, store });
    } else {
        dispatch(dense::Correlate { plan, weights, frame, store });
    }
}

/// Convolves a group of images; `weights` has one matrix per part.
pub fn forward(conv: &Conv, weights: &[PackedMatrix], x: Source<'_>, z: &mut [f32]) {
    let (input, output) = (conv.shape.input_len(), conv.shape.output_len());
    let GroupScratch { unframed, mut frame, mut tiled } = GroupScratch::new(conv, x);
    for (i, z) in z.chunks_exact_mut(output).enumerate() {
        let x = x.slice(i * input..(i + 1) * input);
        for (part, weights) in weights.iter().enumerate() {
            let frame = framed(conv, part, x, unframed, &mut frame);
            let store = Write { image: z, channels: conv.shape.c_out, first: part * conv.outputs };
            let tiled = tiled.as_mut().map(|(tilings, memory)| TiledPass {
                tiling: &tilings.forward,
                points: &mut memory.x,
                products: &mut memory.products,
            });
            correlate(conv, &conv.forward, weights, frame, tiled, store);
        }
    }
}

/// The arguments of the backward pass that all groups of images share.
pub struct GroupBackward<'a> {
    pub conv: &'a Conv,
    /// From the framed gradient of the output to the gradient of the input.
    pub plans: Vec<Correlation>,
    /// For each part, the weights of each plan.
    pub weights: Vec<Vec<PackedMatrix>>,
    /// Whether to fill the gradient of the input instead of adding to it.
    pub overwrite: bool,
}

/// Adds the gradient of a group of input images to `dx`, or fills `dx`; returns the gradient of the weights.
pub fn backward(
    pass: &GroupBackward<'_>,
    x: Source<'_>,
    upstream: OutputGradient<'_>,
    mut dx: Option<&mut [f32]>,
) -> Buffer {
    let GroupBackward { conv, plans, weights, overwrite } = pass;
    let (input, output) = (conv.shape.input_len(), conv.shape.output_len());
    let covered = conv.covers_input(plans);
    let mut total = Buffer::zeroed(conv.gradient_layout(0).len() * conv.parts);
    let GroupScratch { unframed, mut frame, mut tiled } = GroupScratch::new(conv, x);
    let mut dz_frame = conv.dz_frame.empty(conv.shape.out);
    for i in 0..upstream.dy.len() / output {
        let upstream = upstream.slice(i * output..(i + 1) * output);
        let x = x.slice(i * input..(i + 1) * input);
        let mut dx = dx.as_mut().map(|dx| &mut dx[i * input..(i + 1) * input]);
        if let (true, false, Some(dx)) = (*overwrite, covered, &mut dx) {
            dx.fill(0.0);
        }
        let totals = total.chunks_exact_mut(conv.gradient_layout(0).len());
        for ((part, weights), total) in weights.iter().enumerate().zip(totals) {
            let frame = framed(conv, part, x, unframed, &mut frame);
            dispatch(FrameGradient { conv, part, upstream, frame: &mut dz_frame });
            add_weight_gradient(conv, part, frame, &dz_frame, tiled.as_mut(), total);
            let Some(dx) = dx.as_deref_mut() else { continue };
            let overwrite = *overwrite && covered;
            let rectified = conv.relu.then_some((frame, &*conv.x_pixels));
            for (plan, weights) in plans.iter().zip(weights) {
                let (channels, first, frame) = (conv.shape.c_in, part * conv.inputs, &*dz_frame);
                let store = Accumulate { dx, overwrite, channels, first, rectified };
                let tiled = tiled.as_mut().map(|(tilings, memory)| TiledPass {
                    tiling: &tilings.backward,
                    points: &mut memory.dz,
                    products: &mut memory.products,
                });
                correlate(conv, plan, weights, frame, tiled, store);
            }
        }
    }
    total
}

/// Adds the gradient of a part's weights from one image to `total`.
fn add_weight_gradient(
    conv: &Conv,
    part: usize,
    frame: &[f32],
    dz: &[f32],
    tiled: Option<&mut (&Tilings, TileScratch)>,
    total: &mut [f32],
) {
    let (layout, total) = (conv.gradient_layout(part), total.as_chunks_mut().0);
    let (plan, dz_pixels) = (&conv.forward, &*conv.dz_pixels);
    if let Some((tilings, scratch)) = tiled {
        winograd::weight_gradient([&tilings.forward, &tilings.dz], layout, [frame, dz], scratch, total);
    } else if conv.depthwise {
        dispatch(depthwise::WeightGradient { plan, frame, dz, dz_pixels, total });
    } else {
        dispatch(dense::WeightGradient { plan, layout, frame, dz, dz_pixels, total });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ConvSpec, Window,
        cpu::simd::{InstructionLimit, limited},
        shape::ConvShape,
    };

    /// Output, gradient of the input and gradient of the weights of one image.
    fn run(groups: usize, stride: usize, weight: (usize, usize, usize, usize)) -> [Vec<f32>; 3] {
        let spec = ConvSpec { window: Window::same(weight.0, stride, 1), groups };
        let input = (1, 7, 9, groups * weight.2);
        let conv = Conv::new(ConvShape::new("conv2d", input, weight, spec).unwrap(), true);
        let wave = |len: usize| (0..len).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>();
        let (x, w) = (wave(conv.shape.input_len()), wave(weight.0 * weight.1 * weight.2 * weight.3));
        let x = Source { values: &x, pending: None };
        let mut z = vec![0.0; conv.shape.output_len()];
        forward(&conv, &conv.pack_all(&w), x, &mut z);
        let plans = Correlation::backward(&conv.shape, &conv.dz_frame, !conv.depthwise);
        let with =
            GroupBackward { conv: &conv, weights: conv.pack_all_transposed(&w, &plans), plans, overwrite: false };
        let mut dx = vec![0.0; x.values.len()];
        let total = backward(&with, x, OutputGradient { dy: &wave(z.len()), norm: None }, Some(&mut dx));
        // The layout of `total` depends on the width of registers.
        let mut dw = vec![0.0; w.len()];
        conv.add_weight_gradient(vec![total], &mut dw);
        [z, dx, dw]
    }

    /// Groups, stride, and dimensions of the weights.
    type Case = (usize, usize, (usize, usize, usize, usize));

    /// Winograd's algorithm computes the first three.
    const CASES: [Case; 7] = [
        (1, 1, (3, 3, 12, 20)),
        (1, 1, (3, 3, 16, 16)),
        (1, 1, (3, 3, 8, 60)),
        (1, 2, (3, 3, 12, 20)),
        (1, 1, (1, 1, 16, 40)),
        (3, 2, (3, 3, 4, 6)),
        (12, 2, (3, 3, 1, 12)),
    ];

    #[test]
    fn wide_registers_give_the_same_bits() {
        for (groups, stride, weight) in CASES {
            assert_eq!(limited(InstructionLimit::Fused, || run(groups, stride, weight)), run(groups, stride, weight));
        }
    }

    #[test]
    fn the_portable_code_agrees_with_fused_multiply_add() {
        for (groups, stride, weight) in CASES {
            let portable = limited(InstructionLimit::Portable, || run(groups, stride, weight));
            for (portable, fused) in portable.iter().zip(run(groups, stride, weight)) {
                for (portable, fused) in portable.iter().zip(fused) {
                    assert!((portable - fused).abs() <= 1e-5 * (1.0 + fused.abs()), "{portable} {fused}");
                }
            }
        }
    }
}
