//! Arguments and results of batch normalisation.

use crate::Tensor4;
use dfdx::tensor::Storage;

/// Added to the variance before the square root; the default of PyTorch.
pub const EPS: f32 = 1e-5;

/// Mean and biased variance of each channel, both `[1, 1, 1, c]`.
#[derive(Debug, Clone)]
pub struct Moments<D: Storage<f32>> {
    /// Mean over batch, height and width.
    pub mean: Tensor4<D>,
    /// Mean squared deviation from the mean (divided by `n h w`, not `n h w - 1`).
    pub variance: Tensor4<D>,
}

/// The arguments of a batch normalisation `y = scale (x - mean) / sqrt(variance + EPS) + shift`.
#[derive(Debug, Clone, Copy)]
pub struct NormArgs<'a, D: Storage<f32>> {
    /// Fixed statistics, which receive no gradient. `None` uses the statistics of the batch, through which gradient
    /// flows.
    pub fixed: Option<&'a Moments<D>>,
    /// Learned `(scale, shift)`, both `[1, 1, 1, c]`; `None` is `(1, 0)`.
    pub affine: Option<(&'a Tensor4<D>, &'a Tensor4<D>)>,
    /// Whether to return the moments that the normalisation used.
    pub return_moments: bool,
}

impl<D: Storage<f32>> NormArgs<'_, D> {
    /// Batch statistics without learned parameters, as supernets use, which are not returned.
    pub const BATCH: Self = Self { fixed: None, affine: None, return_moments: false };
}
