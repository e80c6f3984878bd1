//! Convolution of values in memory: sizes, frames and weights of one convolution, and its passes over groups of images.

mod groups;
mod weights;

pub use groups::FrameGradient;

use super::{
    buffer::Buffer,
    correlation::Correlation,
    elementwise::add_assign,
    frame::Frame,
    image_group::group_len,
    norm::{BackwardCoefficients, BatchMoments, ChannelMoments},
    simd::{LANES, dispatch},
    source::Source,
    winograd::{self, Tiling},
};
use crate::{
    Window,
    shape::{ConvShape, Dims},
};
use groups::GroupBackward;
use rayon::prelude::*;

/// Elements of the weight gradient that one parallel task sums over the groups of images.
const CHUNK_LEN: usize = 8 * 1024;
/// Largest number of elements of a piece of an image, so that it stays in the second-level cache with its result.
const MAX_PIECE_LEN: usize = 16 * 1024;

/// A convolution of a certain size, with or without a ReLU before it.
pub struct Conv {
    /// Dimensions of the input and of the output.
    pub dims: [Dims; 2],
    /// The shape of one piece: pieces (whole images, or some rows of one) are computed one after the other.
    pub shape: ConvShape,
    /// Whether a ReLU precedes the convolution.
    pub relu: bool,
    /// Whether each group has one input and one output channel.
    pub depthwise: bool,
    /// Number of parts that are computed one after the other: groups, or blocks of eight channels if depthwise.
    pub parts: usize,
    /// Input channels of a part.
    pub inputs: usize,
    /// Output channels of a part.
    pub outputs: usize,
    /// Frame of a piece of the input.
    pub x_frame: Frame,
    /// Frame of a piece of the output's gradient.
    pub dz_frame: Frame,
    /// From the framed input to the output.
    pub forward: Correlation,
    /// Offsets of the input's pixels in their frame.
    pub x_pixels: Vec<usize>,
    /// Offsets of the pixels of the output's gradient in their frame.
    pub dz_pixels: Vec<usize>,
    tilings: Option<Tilings>,
}

/// The shape of a piece. Where each output depends on one pixel, a piece is as many rows of an image as stay in the
/// cache.
fn piece(shape: ConvShape) -> ConvShape {
    let ConvShape { n, size: [h, w], window, .. } = shape;
    if window != Window::same(1, 1, 1) {
        return shape;
    }
    let fits = |rows: &usize| rows * w * shape.c_in.max(shape.c_out) <= MAX_PIECE_LEN;
    let rows = (1..=h).rev().filter(|rows| h.is_multiple_of(*rows)).find(fits).unwrap_or(1);
    ConvShape { n: n * (h / rows), size: [rows, w], out: [rows, w], ..shape }
}

/// The tiles of a convolution that Winograd's algorithm computes.
struct Tilings {
    /// Tiles of outputs, in the frame of the input.
    forward: Tiling,
    /// Tiles of the input's gradient, in the frame of the output's gradient.
    backward: Tiling,
    /// Tiles of the output's gradient, in its frame.
    dz: Tiling,
}

/// The gradient that arrives at the output of a convolution or, if `norm` is set, of the normalisation after it.
#[derive(Clone, Copy)]
pub struct OutputGradient<'a> {
    /// The gradient that arrives.
    pub dy: &'a [f32],
    /// The convolution's output, and the coefficients of its gradient.
    pub norm: Option<(&'a [f32], &'a BackwardCoefficients)>,
}

impl<'a> OutputGradient<'a> {
    /// A range of the elements, which covers whole images or pieces.
    pub fn slice(self, range: std::ops::Range<usize>) -> Self {
        let norm = self.norm.map(|(z, coefficients)| (&z[range.clone()], coefficients));
        Self { dy: &self.dy[range], norm }
    }
}

impl Conv {
    /// Computes frames, offsets and tiles for a convolution of `shape`, after a ReLU if `relu`.
    pub fn new(shape: ConvShape, relu: bool) -> Self {
        let dims = [(shape.size, shape.c_in), (shape.out, shape.c_out)].map(|([h, w], c)| (shape.n, h, w, c));
        let shape = piece(shape);
        let depthwise = shape.groups > 1 && shape.groups == shape.c_in && shape.c_in == shape.c_out;
        let parts = if depthwise { shape.c_in.div_ceil(LANES) } else { shape.groups };
        let (inputs, outputs) = if depthwise { (LANES, LANES) } else { (shape.c_in / parts, shape.c_out / parts) };
        let mut x_frame = Frame::of_input(&shape, inputs);
        let mut dz_frame = Frame::of_output(&shape, outputs);
        let tiled = !depthwise && winograd::suits(&shape, inputs, outputs);
        let tilings = tiled.then(|| {
            x_frame = x_frame.with_min_size([0, 0], winograd::tiled_size(shape.out, 2));
            dz_frame = dz_frame.with_min_size([0, 0], winograd::tiled_size(shape.size, 2));
            dz_frame = dz_frame.with_min_size(dz_frame.before, winograd::tiled_size(shape.out, 0));
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

    /// Dimensions of the output, `[n, h', w', c_out]`.
    pub fn output(&self) -> Dims {
        self.dims[1]
    }

    /// Dimensions of the input, `[n, h, w, c_in]`.
    pub fn input(&self) -> Dims {
        self.dims[0]
    }

    /// Whether a ReLU precedes the convolution.
    pub fn relu(&self) -> bool {
        self.relu
    }

    /// Whether each output depends on all channels of one pixel.
    pub fn is_pointwise(&self) -> bool {
        self.shape.window == Window::same(1, 1, 1) && self.shape.groups == 1
    }

    /// Fills `z`. If `moments` is set, returns the moments of the output channels over each group of images, which are
    /// computed while the group is in the cache.
    pub fn forward(&self, x: Source<'_>, weight: &[f32], z: &mut [f32], moments: bool) -> Vec<Vec<ChannelMoments>> {
        let weights = self.pack_all(weight);
        let (input, output) = (self.shape.input_len(), self.shape.output_len());
        let groups = z.par_chunks_mut(group_len(self.output())).enumerate();
        let groups = groups.map(|(i, z)| {
            let first = i * group_len(self.input());
            groups::forward(self, &weights, x.slice(first..first + z.len() / output * input), z);
            self.output_moments(z, moments)
        });
        groups.collect()
    }

    /// The moments of the output channels over some images `z`; empty unless `moments` is set.
    pub fn output_moments(&self, z: &[f32], moments: bool) -> Vec<ChannelMoments> {
        if moments { dispatch(BatchMoments { z, channels: self.shape.c_out }) } else { vec![] }
    }

    /// The correlations that compute the gradient of the input.
    pub fn backward_plans(&self) -> Vec<Correlation> {
        Correlation::backward(&self.shape, &self.dz_frame, !self.depthwise)
    }

    /// Adds the gradient of the input to each group of `dx`, or fills it if `overwrite`; returns the gradient of the
    /// weights from each group. `plans` may be empty if no group of `dx` is `Some`.
    pub fn backward_groups(
        &self,
        x: Source<'_>,
        weight: &[f32],
        upstream: OutputGradient<'_>,
        plans: Vec<Correlation>,
        dx: Vec<Option<&mut [f32]>>,
        overwrite: bool,
    ) -> Vec<Buffer> {
        let pass = GroupBackward { conv: self, weights: self.pack_all_transposed(weight, &plans), plans, overwrite };
        let output = group_len(self.output());
        let groups = dx.into_par_iter().enumerate();
        groups
            .map(|(i, dx)| {
                let upstream = upstream.slice(i * output..((i + 1) * output).min(upstream.dy.len()));
                groups::backward(&pass, x.group(i, self.input()), upstream, dx)
            })
            .collect()
    }

    /// Adds the gradients of the weights from all groups of images to `dw`, in the order of the groups.
    pub fn add_weight_gradient(&self, mut groups: Vec<Buffer>, dw: &mut [f32]) {
        let Some((total, rest)) = groups.split_first_mut() else { return };
        total.par_chunks_mut(CHUNK_LEN).enumerate().for_each(|(i, total)| {
            rest.iter().for_each(|group| add_assign(total, &group[i * CHUNK_LEN..][..total.len()]));
        });
        self.unpack_gradient(total, dw);
    }

    /// Whether the plans for the gradient of the input write each of its pixels.
    pub fn covers_input(&self, plans: &[Correlation]) -> bool {
        plans.iter().map(|plan| plan.targets.len()).sum::<usize>() == self.x_pixels.len()
    }
}
