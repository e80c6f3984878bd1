//! A depthwise convolution of an [`DeferredPointwiseConv`]: a few channels of an image are computed, convolved and forgotten.

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

/// Channels are taken in multiples of this many, which fill the max_vectors registers.
const STEP: usize = 4 * LANES;
/// Numbers of a block of channels of an image, which are to stay in the second-level cache with their gradient.
const BLOCK: usize = 32 * 1024;

/// A depthwise convolution and the deferred that it reads.
pub struct FusedDepthwise<'a> {
    conv: &'a Conv,
    deferred: &'a DeferredPointwiseConv,
    x: Source<'a>,
    /// The pixels of a centred input image of the deferred.
    pixels: Correlation,
    blocks: Vec<Block>,
}

/// Some hidden channels.
struct Block {
    channels: Range<usize>,
    weights: PackedMatrix,
}

impl Block {
    /// The parts of the depthwise convolution.
    fn parts(&self) -> Range<usize> {
        self.channels.start / LANES..self.channels.end.div_ceil(LANES)
    }

    fn stride(&self) -> usize {
        whole_lanes(self.channels.len())
    }
}

/// What the backward pass needs besides.
struct FusedBackward<'a> {
    upstream: OutputGradient<'a>,
    plans: Vec<Correlation>,
    /// For each part, the weights of each plan.
    weights: Vec<Vec<PackedMatrix>>,
    /// Of each block, from its hidden channels to the inputs of the deferred.
    back: Vec<PackedMatrix>,
    /// The pixels of the hidden channels of each block.
    hidden: Vec<Correlation>,
    /// The pixels of an input image of the deferred.
    offsets: Vec<usize>,
    /// Whether the plans reach every pixel of the hidden channels.
    covered: bool,
    /// Whether the gradient of the input is to be filled, not added to.
    overwrite: bool,
}

impl<'a> FusedDepthwise<'a> {
    /// None if the convolution cannot, or need not, compute its input itself.
    pub fn new(conv: &'a Conv, x: &'a CpuActivation) -> Option<Self> {
        let deferred = x.uncomputed().filter(|_| conv.depthwise && conv.shape.n == conv.dims[0].0)?;
        let ([h, w], hidden, inputs) = (conv.shape.size, conv.shape.c_in, deferred.dims().3);
        let wide = (BLOCK / (h * w) / STEP * STEP).clamp(STEP, hidden.next_multiple_of(STEP));
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

    /// Numbers of an input image of the deferred.
    fn input_len(&self) -> usize {
        let (_, h, w, inputs) = self.deferred.dims();
        h * w * inputs
    }

    /// Numbers of eight hidden channels of an image with what is around them.
    fn frame_len(&self) -> usize {
        let [rows, columns] = self.conv.x_frame.size;
        rows * columns * LANES
    }

    /// Computes the hidden channels of a block, normalised, into frames.
    fn expand(&self, block: &Block, memory: &mut ImageScratch) {
        let ImageScratch { centred, frames, .. } = memory;
        let store = Hidden { frames, length: self.frame_len(), pixels: &self.conv.x_pixels, relu: self.conv.relu };
        dispatch(dense::Correlate { plan: &self.pixels, weights: &block.weights, frame: centred, store });
    }

    /// Fills `z` with the convolution. If `moments` is set, returns the moments of the output channels over each group of
    /// images.
    pub fn forward(&self, weight: &[f32], z: &mut [f32], moments: bool) -> Vec<Vec<ChannelMoments>> {
        let weights = self.conv.pack_all(weight);
        let groups = z.par_chunks_mut(group_len(self.conv.output())).enumerate();
        let groups = groups.map(|(i, z)| {
            self.forward_group(i, &weights, z);
            self.conv.output_moments(z, moments)
        });
        groups.collect()
    }

    /// Convolves group `i` of the images; `weights` are those of each part.
    fn forward_group(&self, i: usize, weights: &[PackedMatrix], z: &mut [f32]) {
        let (x, length) = (self.x.group(i, self.deferred.dims()), self.input_len());
        let mut memory = ImageScratch::new(self);
        for (image, z) in z.chunks_exact_mut(self.conv.shape.output_len()).enumerate() {
            self.deferred.write_centred(x.part(image * length..(image + 1) * length), &mut memory.centred);
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

    /// Lets the deferred gather, and returns the gradient of the depthwise weights from each group of images.
    pub fn backward(&self, weight: &[f32], upstream: OutputGradient<'_>) -> Vec<Buffer> {
        let (conv, pixels) = (self.conv, self.pixels.sources.len());
        let plans = Correlation::backward(&conv.shape, &conv.dz_frame, false);
        let hidden = |block: &Block| Correlation::pointwise(pixels, block.channels.len(), block.stride());
        let mut with = FusedBackward {
            upstream,
            weights: conv.pack_all_transposed(weight, &plans),
            offsets: (0..pixels).map(|pixel| pixel * self.pixels.run).collect(),
            covered: conv.covers_input(&plans),
            plans,
            back: self.blocks.iter().map(|block| self.deferred.pack_transposed(block.channels.clone())).collect(),
            hidden: self.blocks.iter().map(hidden).collect(),
            overwrite: false,
        };
        let groups = self.deferred.input.accumulate_gradient_groups(self.deferred.dims(), |groups, overwrite| {
            with.overwrite = overwrite;
            let groups = groups.into_par_iter().enumerate();
            groups.map(|(i, dx)| self.backward_group(&with, i, dx)).collect::<Vec<_>>()
        });
        let (weights, gathered): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
        let total = gathered.into_iter().reduce(|mut total, more| {
            total.add(&more);
            total
        });
        if let Some(total) = total {
            self.deferred.add_sums(ReaderSums { products: self.in_rows(&total.products), ..total });
        }
        weights
    }

    /// BackwardSums, block after block, as `[inputs, hidden]`.
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

    /// Adds to the gradient of the input of a group of images; returns that of the depthwise weights, and what the
    /// deferred gathers, products block after block.
    fn backward_group(&self, with: &FusedBackward<'_>, i: usize, mut dx: Option<&mut [f32]>) -> (Buffer, ReaderSums) {
        let (x, length) = (self.x.group(i, self.deferred.dims()), self.input_len());
        let output = self.conv.shape.output_len();
        let channels = whole_lanes(self.conv.shape.c_in);
        let mut memory = ImageScratch::for_gradients(self);
        let mut weights = Buffer::zeroed(self.conv.gradient_layout(0).len() * self.conv.parts);
        let mut gathered =
            ReaderSums { products: Buffer::zeroed(self.pixels.run * channels), sums: vec![0.0; channels] };
        for image in 0..x.values.len() / length {
            let source = x.part(image * length..(image + 1) * length);
            let mut dx = dx.as_mut().map(|dx| &mut dx[image * length..(image + 1) * length]);
            let first = (i * IMAGES_PER_GROUP + image) * output;
            let upstream = with.upstream.part(first..first + output);
            self.deferred.write_centred(source, &mut memory.centred);
            self.deferred.write_rectified(source, &mut memory.rectified);
            for number in 0..self.blocks.len() {
                self.expand(&self.blocks[number], &mut memory);
                self.hidden_gradient(with, number, upstream, &mut memory, &mut weights);
                self.add_products(with, number, &memory, &mut gathered);
                if let Some(dx) = dx.as_deref_mut() {
                    self.add_input_gradient(with, number, &memory, dx);
                }
            }
        }
        gathered.sums.truncate(self.conv.shape.c_in);
        (weights, gathered)
    }

    /// Computes the gradient of the hidden channels of a block, which are framed, and adds that of the depthwise weights.
    fn hidden_gradient(
        &self,
        with: &FusedBackward<'_>,
        number: usize,
        upstream: OutputGradient<'_>,
        memory: &mut ImageScratch,
        total: &mut [f32],
    ) {
        let (conv, block) = (self.conv, &self.blocks[number]);
        let ImageScratch { frames, dz_frame, hidden, .. } = memory;
        if !with.covered || block.stride() != block.channels.len() {
            hidden.fill(0.0);
        }
        let layout = conv.gradient_layout(0).len();
        for (part, frame) in block.parts().zip(frames.chunks_exact(self.frame_len())) {
            dispatch(FrameGradient { conv, part, upstream, frame: dz_frame });
            let total = total[part * layout..(part + 1) * layout].as_chunks_mut().0;
            let (plan, dz, dz_pixels) = (&conv.forward, &**dz_frame, &*conv.dz_pixels);
            dispatch(depthwise::WeightGradient { plan, frame, dz, dz_pixels, total });
            for (plan, weights) in with.plans.iter().zip(&with.weights[part]) {
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

    /// Adds what the deferred gathers of a block.
    fn add_products(&self, with: &FusedBackward<'_>, number: usize, memory: &ImageScratch, gathered: &mut ReaderSums) {
        let (block, plan) = (&self.blocks[number], &with.hidden[number]);
        let (first, inputs) = (block.channels.start, self.pixels.run);
        let dz = &memory.hidden[..plan.sources.len() * block.stride()];
        dispatch(ChannelSums { values: dz, totals: &mut gathered.sums[first..first + block.stride()] });
        let total = &mut gathered.products[first * inputs..(first + block.stride()) * inputs];
        dispatch(dense::WeightGradient {
            plan: &self.pixels,
            layout: block.weights.layout,
            frame: &memory.centred,
            dz,
            dz_pixels: &plan.sources,
            total: total.as_chunks_mut().0,
        });
    }

    /// Adds the part of a block that does not depend on what is gathered, or fills the gradient with it.
    fn add_input_gradient(&self, with: &FusedBackward<'_>, number: usize, memory: &ImageScratch, dx: &mut [f32]) {
        let store = Accumulate {
            dx,
            overwrite: with.overwrite && number == 0,
            channels: self.pixels.run,
            first: 0,
            rectified: self.deferred.relu().then_some((&*memory.rectified, &*with.offsets)),
        };
        let (plan, weights) = (&with.hidden[number], &with.back[number]);
        dispatch(dense::Correlate { plan, weights, frame: &memory.hidden, store });
    }
}

/// ImageScratch for one image.
struct ImageScratch {
    /// The input of the deferred, centred.
    centred: Buffer,
    /// The parts of a block of hidden channels, framed.
    frames: Buffer,
    /// The input of the deferred after its ReLU, if it has one.
    rectified: Buffer,
    /// The gradient of the output, eight channels.
    dz_frame: Buffer,
    /// The gradient of a block of hidden channels.
    hidden: Buffer,
}

impl ImageScratch {
    /// For the forward pass.
    fn new(expanded: &FusedDepthwise<'_>) -> Self {
        let pixels = expanded.pixels.sources.len();
        let [rectified, dz_frame, hidden] = [0; 3].map(Buffer::uninitialised);
        Self {
            centred: Buffer::uninitialised(pixels * whole_lanes(expanded.pixels.run)),
            // Zeros stay around the image.
            frames: Buffer::zeroed(expanded.blocks[0].parts().len() * expanded.frame_len()),
            rectified,
            dz_frame,
            hidden,
        }
    }

    fn for_gradients(expanded: &FusedDepthwise<'_>) -> Self {
        let FusedDepthwise { conv, deferred, pixels, blocks, .. } = expanded;
        Self {
            rectified: Buffer::uninitialised(if deferred.relu() { expanded.input_len() } else { 0 }),
            dz_frame: conv.dz_frame.empty(conv.shape.out),
            hidden: Buffer::uninitialised(pixels.sources.len() * blocks[0].stride()),
            ..Self::new(expanded)
        }
    }
}

/// Normalises hidden channels and puts them into frames of eight channels.
struct Hidden<'a> {
    frames: &'a mut [f32],
    length: usize,
    pixels: &'a [usize],
    relu: bool,
}

impl Store for Hidden<'_> {
    #[inline(always)]
    fn store<const N: usize>(&mut self, pixel: usize, channel: usize, values: Lanes<N>, _: usize) {
        let value = if self.relu { values.map(rectified) } else { values };
        // Lanes after the last channel are zeros, as the weights are.
        for (part, eight) in (channel / LANES..).zip(value.0.as_chunks::<LANES>().0) {
            Lanes(*eight).store_some(self.frames, part * self.length + self.pixels[pixel], LANES);
        }
    }
}
