//! Arguments and results of batch normalisation.

use crate::Tensor4;
use dfdx::tensor::Storage;

/// Added to the variance, as in PyTorch.
pub const EPS: f32 = 1e-5;

/// Mean and biased variance of each channel, `[1, 1, 1, c]` both.
#[derive(Debug, Clone)]
pub struct Moments<D: Storage<f32>> {
    /// Mean over batch and space.
    pub mean: Tensor4<D>,
    /// Mean squared distance from the mean (divided by `n h w`, not `n h w - 1`).
    pub variance: Tensor4<D>,
}

/// How to normalise: `y = scale (x - mean) / sqrt(variance + EPS) + shift`.
#[derive(Debug, Clone, Copy)]
pub struct NormArgs<'a, D: Storage<f32>> {
    /// Fixed statistics, through which no gradient flows; `None` takes those of the batch, and its gradient does.
    pub fixed: Option<&'a Moments<D>>,
    /// Learned `(scale, shift)`, `[1, 1, 1, c]` both; `None` is `(1, 0)`.
    pub affine: Option<(&'a Tensor4<D>, &'a Tensor4<D>)>,
}

impl<D: Storage<f32>> NormArgs<'_, D> {
    /// Batch statistics without parameters: what supernets use.
    pub const BATCH: Self = Self { fixed: None, affine: None };
}
