//! Gram matrices of the input patches of convolutions.

use crate::{
    ConvSpec, Device, OpError, Tensor4,
    shape::{ConvShape, Dims},
};
use dfdx::shapes::HasShape;

/// The input patches of a convolution: for each group a matrix `R` with a row for each output location of each image,
/// `[n h' w', d]`, with `d = kh kw c_in / groups`.
#[derive(Debug)]
pub struct InputPatches<'a, D: Device> {
    /// The input `[n, h, w, c_in]`.
    pub input: &'a Tensor4<D>,
    /// Number of images whose patches count, from the first. All, if there are fewer.
    pub images: usize,
    /// Whether a ReLU precedes the convolution.
    pub relu: bool,
    /// Window and groups of the convolution.
    pub conv: ConvSpec,
    /// Whether each patch ends with a constant 1, the input of a bias. Then `d` is larger by 1.
    pub constant: bool,
}

impl<D: Device> InputPatches<'_, D> {
    /// Number of patches in each group.
    ///
    /// # Errors
    /// No images, or images smaller than the window.
    pub fn count(&self) -> Result<usize, OpError> {
        let ConvShape { n, out, .. } = self.shape()?;
        Ok(n * out[0] * out[1])
    }

    /// The dimensions of the images that count.
    pub(crate) fn dims(&self) -> Dims {
        let (n, h, w, c) = *self.input.shape();
        (n.min(self.images), h, w, c)
    }

    /// The checked sizes of the convolution of these images.
    pub(crate) fn shape(&self) -> Result<ConvShape, OpError> {
        ConvShape::of_input("gram_matrices", self.dims(), self.conv)
    }

    /// Elements of a patch, `d`.
    pub(crate) fn patch_len(&self, shape: &ConvShape) -> usize {
        let [kh, kw] = shape.window.kernel;
        kh * kw * shape.c_in / shape.groups + usize::from(self.constant)
    }
}
