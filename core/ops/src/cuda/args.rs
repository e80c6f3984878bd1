//! The arguments of the kernels: structures with the layout of those in `kernels/`. Addresses of 0 stand for none.

#![expect(unsafe_code, reason = "the structures are passed to kernels byte by byte")]

use crate::{Window, shape::ConvShape};
use cudarc::driver::DeviceRepr;

/// How kernels read an activation; see `Source` in `common.cu`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Source {
    pub values: u64,
    pub other: u64,
    pub vectors: u64,
    pub kind: i32,
    pub rectifier: i32,
}

impl Source {
    /// The values at an address as they are.
    pub fn plain(values: u64) -> Self {
        Self { values, ..Self::default() }
    }
}

/// Values of [`Source::kind`].
pub const NORMALISED: i32 = 1;
pub const GRADIENT: i32 = 2;

/// A function before an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(i32)]
pub enum Rectifier {
    #[default]
    None = 0,
    Relu = 1,
    Relu6 = 2,
}

/// A sliding window and the images that it slides over.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct WindowShape {
    pub n: i32,
    pub h: i32,
    pub w: i32,
    pub c_in: i32,
    pub out_h: i32,
    pub out_w: i32,
    pub c_out: i32,
    pub groups: i32,
    pub kernel: [i32; 2],
    pub stride: [i32; 2],
    pub padding: [i32; 2],
    pub dilation: [i32; 2],
}

impl WindowShape {
    /// The window of a convolution.
    pub fn of(shape: &ConvShape) -> Self {
        let ConvShape { n, size, out, c_in, c_out, groups, window } = *shape;
        Self { c_out: c_out as i32, groups: groups as i32, ..Self::sliding(n, size, out, c_in, window) }
    }

    /// The window of a pool.
    pub fn sliding(n: usize, size: [usize; 2], out: [usize; 2], c: usize, window: Window) -> Self {
        let pair = |[a, b]: [usize; 2]| [a as i32, b as i32];
        let ([h, w], [out_h, out_w], c) = (pair(size), pair(out), c as i32);
        Self {
            n: n as i32,
            h,
            w,
            c_in: c,
            out_h,
            out_w,
            c_out: c,
            groups: c,
            kernel: pair(window.kernel),
            stride: pair(window.stride),
            padding: pair(window.padding),
            dilation: pair(window.dilation),
        }
    }
}

/// Inputs and outputs of the statistics of a batch normalisation; see `common.cu`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Statistics {
    pub scale: u64,
    pub shift: u64,
    pub new_mean: u64,
    pub new_variance: u64,
    pub vectors: u64,
    pub partial: u64,
    pub counters: u64,
    pub eps: f32,
    pub pixels: i32,
    pub channels: i32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct ConvArgs {
    pub window: WindowShape,
    pub x: Source,
    pub dy: Source,
    pub weight: u64,
    pub bias: u64,
    pub out: u64,
    pub partial: u64,
    pub counters: u64,
    pub statistics: Statistics,
    pub overwrite: i32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct GramArgs {
    pub window: WindowShape,
    pub x: Source,
    pub out: u64,
    pub partial: u64,
    pub counters: u64,
    pub constant: i32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct NormKernelArgs {
    pub x: Source,
    pub dy: Source,
    pub statistics: Statistics,
    pub mean: u64,
    pub variance: u64,
    pub coefficients: u64,
    pub d_scale: u64,
    pub d_shift: u64,
    pub batch: i32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct MapArgs {
    pub x: Source,
    pub dy: u64,
    pub factors: u64,
    pub out: u64,
    pub size: i32,
    pub channels: i32,
    pub image: i32,
    pub overwrite: i32,
}

/// Most activations that one launch adds or concatenates.
pub const MAX_TERMS: usize = 8;

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct SumArgs {
    pub terms: [Source; MAX_TERMS],
    pub out: u64,
    pub count: i32,
    pub size: i32,
    pub channels: i32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Part {
    pub x: Source,
    pub dx: u64,
    pub first: i32,
    pub channels: i32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct ConcatArgs {
    pub parts: [Part; MAX_TERMS],
    pub y: u64,
    pub dy: u64,
    pub count: i32,
    pub pixels: i32,
    pub channels: i32,
    pub first: i32,
    pub width: i32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct PoolArgs {
    pub window: WindowShape,
    pub x: Source,
    pub dy: u64,
    pub out: u64,
    pub argmax_taps: u64,
    pub maximum: i32,
    pub overwrite: i32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct CrossEntropyArgs {
    pub scores: u64,
    pub targets: u64,
    pub d_loss: u64,
    pub loss: u64,
    pub gradient: u64,
    pub d_scores: u64,
    pub n: i32,
    pub classes: i32,
}

/// Most parameters of one launch of the optimizer.
pub const MAX_PARAMS: usize = 40;

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Param {
    pub weight: u64,
    pub gradient: u64,
    pub velocity: u64,
    pub new_velocity: u64,
    pub update: u64,
    pub size: i32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct SgdArgs {
    pub params: [Param; MAX_PARAMS],
    pub partial: u64,
    pub clipping: f32,
    pub decay: f32,
    pub momentum: f32,
    pub lr: f32,
    pub nesterov: i32,
}

/// Structures that a kernel takes by value.
macro_rules! kernel_arguments {
    ($($name:ty),*) => {
        $(
            // SAFETY: plain numbers with the layout of C.
            unsafe impl DeviceRepr for $name {}
        )*
    };
}
kernel_arguments!(
    ConvArgs,
    GramArgs,
    NormKernelArgs,
    MapArgs,
    SumArgs,
    ConcatArgs,
    PoolArgs,
    CrossEntropyArgs,
    SgdArgs
);
