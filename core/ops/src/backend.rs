//! Which device runs which implementation.

use crate::{
    Activation, ConvSpec, Moments, NormArgs, OpError, PoolSpec, SgdParam, SgdSpec, Tensor4, UnitSpec, reference,
};
use dfdx::tensor::{Cache, Synchronize, Tape};

/// A device that runs the image operations, on tensors and on its [`Activation`]s. All record their backward pass on
/// `tape`.
pub trait Backend: dfdx::tensor_ops::Device<f32> + Cache + Synchronize {
    /// What flows between the operations of a network. [`Tensor4`] with the operations of [`mod@crate::reference`] where
    /// a device has nothing better. The methods below are those of the activation, on tensors.
    type Activation: Activation<Self>;

    /// `y[n, i, j, o] = sum x[n, i s + a d - p, j s + b d - p, c] w[a, b, c, o]`, outputs `[n, h', w', c_out]`.
    ///
    /// # Errors
    /// Channels or groups that do not fit, an image smaller than the window, or a failing device; likewise below.
    fn conv2d<T: Tape<f32, Self>>(
        x: &Tensor4<Self>,
        weight: &Tensor4<Self>,
        spec: ConvSpec,
        tape: &mut T,
    ) -> Result<Tensor4<Self>, OpError> {
        Self::Activation::enter(x, tape)?.conv2d(weight, spec, tape)?.leave(tape)
    }

    /// Maximum or average under a window; padding never counts.
    ///
    /// # Errors
    /// As [`Self::conv2d`].
    fn pool2d<T: Tape<f32, Self>>(x: &Tensor4<Self>, spec: PoolSpec, tape: &mut T) -> Result<Tensor4<Self>, OpError> {
        Self::Activation::enter(x, tape)?.pool2d(spec, tape)?.leave(tape)
    }

    /// Batch normalisation; also returns the moments it used, of the batch or as given.
    ///
    /// # Errors
    /// As [`Self::conv2d`].
    fn batch_norm<T: Tape<f32, Self>>(
        x: &Tensor4<Self>,
        norm: NormArgs<'_, Self>,
        tape: &mut T,
    ) -> Result<(Tensor4<Self>, Moments<Self>), OpError> {
        let (y, moments) = Self::Activation::enter(x, tape)?.batch_norm(norm, tape)?;
        Ok((y.leave(tape)?, moments))
    }

    /// `norm(conv(relu(x)))` in one operation; also returns the moments it used.
    ///
    /// # Errors
    /// As [`Self::conv2d`].
    fn unit<T: Tape<f32, Self>>(
        x: &Tensor4<Self>,
        weight: &Tensor4<Self>,
        spec: UnitSpec,
        norm: NormArgs<'_, Self>,
        tape: &mut T,
    ) -> Result<(Tensor4<Self>, Moments<Self>), OpError> {
        let (y, moments) = Self::Activation::enter(x, tape)?.unit(weight, spec, norm, tape)?;
        Ok((y.leave(tape)?, moments))
    }

    /// `max(x, 0)`; a NaN stays a NaN.
    ///
    /// # Errors
    /// A failing device.
    fn relu<T: Tape<f32, Self>>(x: &Tensor4<Self>, tape: &mut T) -> Result<Tensor4<Self>, OpError> {
        Self::Activation::enter(x, tape)?.relu(tape)?.leave(tape)
    }

    /// Elementwise sum of one or more tensors of equal shape.
    ///
    /// # Errors
    /// No tensor, unequal shapes or a failing device.
    fn sum<T: Tape<f32, Self>>(terms: &[&Tensor4<Self>], tape: &mut T) -> Result<Tensor4<Self>, OpError> {
        let terms = terms.iter().map(|x| Self::Activation::enter(x, tape)).collect::<Result<Vec<_>, _>>()?;
        Self::Activation::sum(&terms.iter().collect::<Vec<_>>(), tape)?.leave(tape)
    }

    /// Concatenation along channels of one or more tensors of equal `n`, `h`, `w`.
    ///
    /// # Errors
    /// No tensor, unequal sizes or a failing device.
    fn concat<T: Tape<f32, Self>>(parts: &[&Tensor4<Self>], tape: &mut T) -> Result<Tensor4<Self>, OpError> {
        let parts = parts.iter().map(|x| Self::Activation::enter(x, tape)).collect::<Result<Vec<_>, _>>()?;
        Self::Activation::concat(&parts.iter().collect::<Vec<_>>(), tape)?.leave(tape)
    }

    /// Mean over height and width: `[n, h, w, c]` to `[n, 1, 1, c]`.
    ///
    /// # Errors
    /// A failing device.
    fn global_avg_pool<T: Tape<f32, Self>>(x: &Tensor4<Self>, tape: &mut T) -> Result<Tensor4<Self>, OpError> {
        Self::Activation::enter(x, tape)?.global_avg_pool(tape)?.leave(tape)
    }

    /// `y = x w + b` on `[n, 1, 1, c_in]` with `w = [1, 1, c_in, c_out]`, `b = [1, 1, 1, c_out]`.
    ///
    /// # Errors
    /// Channels that do not fit or a failing device.
    fn linear<T: Tape<f32, Self>>(
        x: &Tensor4<Self>,
        weight: &Tensor4<Self>,
        bias: Option<&Tensor4<Self>>,
        tape: &mut T,
    ) -> Result<Tensor4<Self>, OpError> {
        Self::Activation::enter(x, tape)?.linear(weight, bias, tape)?.leave(tape)
    }

    /// One step of [`SgdSpec`]: updates and new velocities, weights unchanged. Returns the norm of the gradients before
    /// clipping; where that is not finite, there are no updates.
    ///
    /// # Errors
    /// Shapes that differ within a parameter, or a failing device.
    fn sgd(params: &mut [SgdParam<'_, Self>], spec: SgdSpec) -> Result<f64, OpError> {
        reference::sgd(params, spec)
    }

    /// `x + y` in the place of each `x`.
    ///
    /// # Errors
    /// Shapes that differ within a pair, with which no `x` changes, or a failing device.
    fn add_to(pairs: &mut [(&mut Tensor4<Self>, &Tensor4<Self>)]) -> Result<(), OpError> {
        reference::add_to(pairs)
    }

    /// Copies a contiguous tensor to the host, in row-major order.
    fn to_host(x: &Tensor4<Self>) -> Vec<f32> {
        use dfdx::shapes::{HasShape, Shape};
        let mut host = vec![0.0; x.shape().num_elements()];
        x.copy_into(&mut host);
        host
    }
}

#[cfg(feature = "cuda")]
impl Backend for dfdx::tensor::Cuda {
    type Activation = Tensor4<Self>;
}
