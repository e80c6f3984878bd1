//! The devices and the implementation that each of them uses.

mod activation;

pub use activation::Activation;

use crate::device::to_host;
use crate::{Device, InputPatches, Matrix, OpError, SgdParam, SgdSpec, Tensor4, Upload, reference, shape::Dims};
use dfdx::{
    tensor::{Tape, Tensor},
    tensor_ops::ReshapeTo,
};

/// A device that runs the image operations (on its [`Activation`]s) and the optimizer.
pub trait Backend: Device {
    /// The value that flows between the operations of a network. A device without kernels uses [`Tensor4`], whose
    /// operations are those of [`mod@crate::reference`].
    type Activation: Activation<Self>;

    /// Starts an asynchronous copy of `values` to the device, as a tensor `[n, h, w, c]` in row-major order. A GPU
    /// continues its work during the copy.
    ///
    /// # Errors
    /// Another number of values than `n h w c`, or a device failure.
    fn upload(&self, values: Vec<f32>, dims: Dims) -> Result<Upload<Self>, OpError> {
        self.try_tensor_from_vec(values, dims).map(Upload::complete).map_err(OpError::device("upload"))
    }

    /// One step of [`SgdSpec`]. Writes the updates and the new velocities; weights stay unchanged. Returns the norm of
    /// the gradients before clipping. If the norm is not finite, there are no updates.
    ///
    /// # Errors
    /// Shapes that differ within a parameter, or a device failure.
    fn sgd(params: &mut [SgdParam<'_, Self>], spec: SgdSpec) -> Result<f64, OpError> {
        reference::sgd(params, spec)
    }

    /// Replaces each `x` by `x + y`.
    ///
    /// # Errors
    /// Shapes that differ within a pair (no `x` changes then), or a device failure.
    fn add_to(pairs: &mut [(&mut Tensor4<Self>, &Tensor4<Self>)]) -> Result<(), OpError> {
        reference::add_to(pairs)
    }

    /// Mean cross-entropy of scores `[n, 1, 1, classes]` and targets `[n, classes]`; see [`reference::cross_entropy`].
    ///
    /// # Errors
    /// Shapes that do not match, no score, or a device failure.
    fn cross_entropy<T: Tape<f32, Self>>(
        scores: &Tensor4<Self>,
        targets: &Matrix<Self>,
        tape: &mut T,
    ) -> Result<Tensor<(), f32, Self>, OpError> {
        reference::cross_entropy(scores, targets, tape)
    }

    /// Copies a contiguous tensor to the host, in row-major order.
    fn to_host(x: &Tensor4<Self>) -> Vec<f32> {
        to_host(x)
    }

    /// Copies tensors to the host, each in row-major order. On a GPU, the host synchronises once for the whole call.
    ///
    /// # Errors
    /// A device failure.
    fn all_to_host(tensors: &[&Tensor4<Self>]) -> Result<Vec<Vec<f32>>, OpError> {
        let contiguous = tensors.iter().map(|x| (*x).clone().try_contiguous().map_err(OpError::device("output")));
        contiguous.map(|x| Ok(Self::to_host(&x?))).collect()
    }

    /// The Gram matrices of input patches; see [`reference::gram_matrices`]. `None` from a device on which the host
    /// computes them as fast. On a GPU, the host synchronises once for the whole call.
    ///
    /// # Errors
    /// An input without images or smaller than the window, or a device failure.
    fn gram_matrices(_inputs: &[InputPatches<'_, Self>]) -> Result<Option<Vec<Vec<f64>>>, OpError> {
        Ok(None)
    }

    /// The sum of squares of each tensor. On a GPU, the host synchronises once for the whole call.
    ///
    /// # Errors
    /// A device failure.
    fn sums_of_squares(tensors: &[&Tensor4<Self>]) -> Result<Vec<f64>, OpError> {
        Ok(Self::all_to_host(tensors)?.iter().map(|values| reference::sum_of_squares(values)).collect())
    }
}
