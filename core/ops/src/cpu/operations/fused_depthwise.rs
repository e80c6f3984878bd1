//! Depthwise convolution of a [`DeferredPointwiseConv`]. A block of its output channels ("hidden channels") is computed
//! for one image, convolved while it is in the cache, and overwritten by the next block.

use crate::cpu::{
    activation::{CpuActivation, DeferredPointwiseConv, ReaderSums},
    buffer::Buffer,
    conv::{Conv, FrameGradient, OutputGradient},
    correlation::Correlation,
    covariance::ChannelSums,
    dense, depthwise,
    elementwise::rectified,
    image_group::{IMAGES_PER_GROUP, group_len},
    norm::ChannelMoments,
    packed::PackedMatrix,
    simd::{LANES, Lanes, dispatch, whole_lanes},
    source::Source,
    store::{Accumulate, Store, Write},
};
use rayon::prelude::*;
use std::ops::Range;

/// A block of hidden channels is a multiple of this size, which fills the widest panels of registers.
const CHANNEL_MULTIPLE: usize = 4 * LANES;
/// Elements per block of hidden channels of one image, so that they stay in the second-level cache with their gradient.
const BLOCK_LEN: usize = 32 * 1024;

/// A depthwise convolution and the deferred convolution that computes its input.
pub struct FusedDepthwise<'a> {
    conv: &'a Conv,
    deferred: &'a DeferredPointwiseConv,
    x: Source<'a>,
    /// From a centred input image of the deferred convolution to its outputs.
    pixels: Correlation,
    blocks: Vec<Block>,
}

/// A range of hidden channels, and the weights that compute them from a centred input.
struct Block {
    channels: Range<usize>,
    weights: PackedMatrix,
}

impl Block {
    /// The parts of the depthwise convolution that read these channels.
    fn parts(&self) -> Range<usize> {
        self.channels.start / LANES..self.channels.end.div_ceil(LANES)
    }

    /// Elements per pixel: channels rounded up to whole registers.
    fn stride(&self) -> usize {
        whole_lanes(self.channels.len())
    }
}

/// The arguments of the backward pass that all groups of images share.
struct FusedBackward<'a> {
    upstream: OutputGradient<'a>,
    /// From the framed gradient of the output to the gradient of the hidden channels.
    plans: Vec<Correlation>,
    /// For each part, the weights of each plan.
    weights: Vec<Vec<PackedMatrix>>,
    /// For each block, the weights from its hidden channels to the input channels of the deferred convolution.
    transposed: Vec<PackedMatrix>,
    /// For each block, from the gradient of its hidden channels to that of the input.
    hidden: Vec<Correlation>,
    /// Offsets of the pixels in an input image of the deferred convolution.
    offsets: Vec<usize>,
    /// Whether the plans write every pixel of the hidden channels.
    covered: bool,
    /// Whether to fill the gradient of the input instead of adding to it.
    overwrite: bool,
}

impl<'a> FusedDepthwise<'a> {
    /// `None` unless `x` is deferred, not computed yet, and read by a depthwise convolution that processes whole
    /// images.
    pub fn new(conv: &'a Conv, x: &'a CpuActivation) -> Option<Self> {
        let deferred = x.uncomputed().filter(|_| conv.depthwise && conv.shape.n == conv.dims[0].0)?;
        let ([h, w], hidden, inputs) = (conv.shape.size, conv.shape.c_in, deferred.dims().3);
        let wide = (BLOCK_LEN / (h * w) / CHANNEL_MULTIPLE * CHANNEL_MULTIPLE)
            .clamp(CHANNEL_MULTIPLE, hidden.next_multiple_of(CHANNEL_MULTIPLE));
        let blocks = (0..hidden).step_by(wide).map(|first| {
            let channels = first..(first + wide).min(hidden);
            Block { weights: deferred.pack(channels.clone()), channels }
        });
        Some(Self {
            conv,
            deferred,
            x: deferred.input.source(),
            pixels: Correlation::pointwise(h * w, inputs, whole_lanes(inputs)),
            blocks: blocks.collect(),
        })
    }

    /// Elements of an input image of the deferred convolution.
    fn input_len(&self) -> usize {
        let (_, h, w, inputs) = self.deferred.dims();
        h * w * inputs
    }

    /// Elements of a frame, which holds eight hidden channels of an image.
    fn frame_len(&self) -> usize {
        let [rows, columns] = self.conv.x_frame.size;
        rows * columns * LANES
    }

    /// Computes the normalised hidden channels of a block, and writes them into frames.
    fn expand(&self, block: &Block, memory: &mut ImageScratch) {
        let ImageScratch { centred, frames, .. } = memory;
        let store = FrameStore { frames, length: self.frame_len(), pixels: &self.conv.x_pixels, relu: self.conv.relu };
        dispatch(dense::Correlate { plan: &self.pixels, weights: &block.weights, frame: centred, store });
    }

    /// Fills `z` with the convolution. If `moments` is set, returns the moments of the output channels over each group
    /// of images.
    pub fn forward(&self, weight: &[f32], z: &mut [f32], moments: bool) -> Vec<Vec<ChannelMoments>> {
        let weights = self.conv.pack_all(weight);
        let groups = z.par_chunks_mut(group_len(self.conv.output())).enumerate();
        let groups = groups.map(|(i, z)| {
            self.forward_group(i, &weights, z);
            self.conv.output_moments(z, moments)
        });
        groups.collect()
    }

    /// Convolves group `i` of the images; `weights` has one matrix per part.
    fn forward_group(&self, i: usize, weights: &[PackedMatrix], z: &mut [f32]) {
        let (x, length) = (self.x.group(i, self.deferred.dims()), self.input_len());
        let mut memory = ImageScratch::new(self);
        for (image, z) in z.chunks_exact_mut(self.conv.shape.output_len()).enumerate() {
            self.deferred.write_centred(x.slice(image * length..(image + 1) * length), &mut memory.centred);
            for block in &self.blocks {
                self.expand(block, &mut memory);
                for (part, frame) in block.parts().zip(memory.frames.chunks_exact(self.frame_len())) {
                    let store = Write { image: z, channels: self.conv.shape.c_out, first: part * LANES };
                    let (plan, weights) = (&self.conv.forward, &weights[part]);
                    dispatch(depthwise::Correlate { plan, weights, frame, store });
                }
            }
        }
    }

    /// Adds the gradient of the input, and the sums from which the other gradients of the deferred convolution follow.
    /// Returns the gradient of the depthwise weights from each group of images.
    pub fn backward(&self, weight: &[f32], upstream: OutputGradient<'_>) -> Vec<Buffer> {
        let (conv, pixels) = (self.conv, self.pixels.sources.len());
        let plans = conv.backward_plans();
        let hidden = |block: &Block| Correlation::pointwise(pixels, block.channels.len(), block.stride());
        let mut pass = FusedBackward {
            upstream,
            weights: conv.pack_all_transposed(weight, &plans),
            offsets: (0..pixels).map(|pixel| pixel * self.pixels.run_len).collect(),
            covered: conv.covers_input(&plans),
            plans,
            transposed: self.blocks.iter().map(|block| self.deferred.pack_transposed(block.channels.clone())).collect(),
            hidden: self.blocks.iter().map(hidden).collect(),
            overwrite: false,
        };
        let groups = self.deferred.input.accumulate_gradient_groups(self.deferred.dims(), |groups, overwrite| {
            pass.overwrite = overwrite;
            let groups = groups.into_par_iter().enumerate();
            groups.map(|(i, dx)| self.backward_group(&pass, i, dx)).collect::<Vec<_>>()
        });
        let (weights, sums): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
        let total = sums.into_iter().reduce(|mut total, more| {
            total.add(&more);
            total
        });
        if let Some(total) = total {
            self.deferred.add_sums(ReaderSums { products: self.in_rows(&total.products), ..total });
        }
        weights
    }

    /// Reorders products from one matrix per block to `[inputs, hidden]`.
    fn in_rows(&self, products: &[f32]) -> Buffer {
        let (inputs, hidden) = (self.deferred.dims().3, self.conv.shape.c_in);
        let mut rows = Buffer::uninitialised(inputs * hidden);
        for block in &self.blocks {
            let products = &products[block.channels.start * inputs..];
            block.weights.layout.for_each_row(|index, row, columns| {
                let to = &mut rows[row * hidden + block.channels.start + columns.start..][..columns.len()];
                to.copy_from_slice(&products[index..index + columns.len()]);
            });
        }
        rows
    }

    /// Adds to the gradient `dx` of the input of a group of images. Returns the gradient of the depthwise weights, and
    /// the sums over the group, with one matrix of products per block.
    fn backward_group(&self, pass: &FusedBackward<'_>, i: usize, mut dx: Option<&mut [f32]>) -> (Buffer, ReaderSums) {
        let (x, length) = (self.x.group(i, self.deferred.dims()), self.input_len());
        let output = self.conv.shape.output_len();
        let channels = whole_lanes(self.conv.shape.c_in);
        let mut memory = ImageScratch::for_gradients(self);
        let mut weights = Buffer::zeroed(self.conv.gradient_layout(0).len() * self.conv.parts);
        let mut sums =
            ReaderSums { products: Buffer::zeroed(self.pixels.run_len * channels), sums: vec![0.0; channels] };
        for image in 0..x.values.len() / length {
            let source = x.slice(image * length..(image + 1) * length);
            let mut dx = dx.as_mut().map(|dx| &mut dx[image * length..(image + 1) * length]);
            let first = (i * IMAGES_PER_GROUP + image) * output;
            let upstream = pass.upstream.slice(first..first + output);
            self.deferred.write_centred(source, &mut memory.centred);
            self.deferred.write_rectified(source, &mut memory.rectified);
            for number in 0..self.blocks.len() {
                self.expand(&self.blocks[number], &mut memory);
                self.hidden_gradient(pass, number, upstream, &mut memory, &mut weights);
                self.add_products(pass, number, &memory, &mut sums);
                if let Some(dx) = dx.as_deref_mut() {
                    self.add_input_gradient(pass, number, &memory, dx);
                }
            }
        }
        sums.sums.truncate(self.conv.shape.c_in);
        (weights, sums)
    }

    /// Computes the gradient of a block of framed hidden channels, and adds the gradient of the depthwise weights to
    /// `total`.
    fn hidden_gradient(
        &self,
        pass: &FusedBackward<'_>,
        number: usize,
        upstream: OutputGradient<'_>,
        memory: &mut ImageScratch,
        total: &mut [f32],
    ) {
        let (conv, block) = (self.conv, &self.blocks[number]);
        let ImageScratch { frames, dz_frame, hidden, .. } = memory;
        if !pass.covered || block.stride() != block.channels.len() {
            hidden.fill(0.0);
        }
        let layout = conv.gradient_layout(0).len();
        for (part, frame) in block.parts().zip(frames.chunks_exact(self.frame_len())) {
            dispatch(FrameGradient { conv, part, upstream, frame: dz_frame });
            let total = total[part * layout..(part + 1) * layout].as_chunks_mut().0;
            let (plan, dz, dz_pixels) = (&conv.forward, &**dz_frame, &*conv.dz_pixels);
            dispatch(depthwise::WeightGradient { plan, frame, dz, dz_pixels, total });
            for (plan, weights) in pass.plans.iter().zip(&pass.weights[part]) {
                let store = Accumulate {
                    dx: hidden,
                    overwrite: true,
                    channels: block.stride(),
                    first: part * LANES - block.channels.start,
                    rectified: conv.relu.then_some((frame, &*conv.x_pixels)),
                };
                dispatch(depthwise::Correlate { plan, weights, frame: dz, store });
            }
        }
    }

    /// Adds the sums over one image for the hidden channels of a block.
    fn add_products(&self, pass: &FusedBackward<'_>, number: usize, memory: &ImageScratch, sums: &mut ReaderSums) {
        let (block, plan) = (&self.blocks[number], &pass.hidden[number]);
        let (first, inputs) = (block.channels.start, self.pixels.run_len);
        let dz = &memory.hidden[..plan.sources.len() * block.stride()];
        dispatch(ChannelSums { values: dz, totals: &mut sums.sums[first..first + block.stride()] });
        let total = &mut sums.products[first * inputs..(first + block.stride()) * inputs];
        dispatch(dense::WeightGradient {
            plan: &self.pixels,
            layout: block.weights.layout,
            frame: &memory.centred,
            dz,
            dz_pixels: &plan.sources,
            total: total.as_chunks_mut().0,
        });
    }

    /// Adds `dy (w f)'` for the hidden channels of a block to `dx`, or fills `dx` with it.
    fn add_input_gradient(&self, pass: &FusedBackward<'_>, number: usize, memory: &ImageScratch, dx: &mut [f32]) {
        let store = Accumulate {
            dx,
            overwrite: pass.overwrite && number == 0,
            channels: self.pixels.run_len,
            first: 0,
            rectified: self.deferred.relu().then_some((&*memory.rectified, &*pass.offsets)),
        };
        let (plan, weights) = (&pass.hidden[number], &pass.transposed[number]);
        dispatch(dense::Correlate { plan, weights, frame: &memory.hidden, store });
    }
}

/// Memory for one image.
struct ImageScratch {
    /// The input of the deferred convolution, centred.
    centred: Buffer,
    /// A block of hidden channels, with one frame per part of eight channels.
    frames: Buffer,
    /// The input of the deferred convolution after its ReLU; empty if it has none.
    rectified: Buffer,
    /// The gradient of eight output channels.
    dz_frame: Buffer,
    /// The gradient of a block of hidden channels.
    hidden: Buffer,
}

impl ImageScratch {
    /// Memory for the forward pass.
    fn new(fused: &FusedDepthwise<'_>) -> Self {
        let pixels = fused.pixels.sources.len();
        let [rectified, dz_frame, hidden] = [0; 3].map(Buffer::uninitialised);
        Self {
            centred: Buffer::uninitialised(pixels * whole_lanes(fused.pixels.run_len)),
            // The border of each frame stays zero.
            frames: Buffer::zeroed(fused.blocks[0].parts().len() * fused.frame_len()),
            rectified,
            dz_frame,
            hidden,
        }
    }

    /// Memory for the backward pass.
    fn for_gradients(fused: &FusedDepthwise<'_>) -> Self {
        let FusedDepthwise { conv, deferred, pixels, blocks, .. } = fused;
        Self {
            rectified: Buffer::uninitialised(if deferred.relu() { fused.input_len() } else { 0 }),
            dz_frame: conv.dz_frame.empty(conv.shape.out),
            hidden: Buffer::uninitialised(pixels.sources.len() * blocks[0].stride()),
            ..Self::new(fused)
        }
    }
}

/// Applies the ReLU to hidden channels, and writes them into frames of eight channels.
struct FrameStore<'a> {
    frames: &'a mut [f32],
    /// Elements per frame.
    length: usize,
    /// Offsets of the pixels in a frame.
    pixels: &'a [usize],
    relu: bool,
}

impl Store for FrameStore<'_> {
    #[inline(always)]
    fn store<const N: usize>(&mut self, pixel: usize, channel: usize, values: Lanes<N>, _: usize) {
        let value = if self.relu { values.map(rectified) } else { values };
        // Lanes after the last channel are zero, because their weights are.
        for (part, eight) in (channel / LANES..).zip(value.0.as_chunks::<LANES>().0) {
            Lanes(*eight).store_some(self.frames, part * self.length + self.pixels[pixel], LANES);
        }
    }
}
