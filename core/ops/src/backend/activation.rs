//! Activations: the values that flow between the operations of a network.

use crate::{Backend, ConvSpec, Moments, NormArgs, OpError, PoolSpec, Tensor4, UnitSpec, reference};
use dfdx::{
    shapes::HasShape,
    tensor::{NoneTape, Tape},
};

/// A value `[n, h, w, c]` between two operations, in the representation that suits the device. Clones share the values.
///
/// The operations record their backward pass on `tape`. The gradients that dfdx returns then include those of the
/// weights and of the tensors passed to [`from_tensor`](Self::from_tensor), but not necessarily those of activations.
pub trait Activation<D: Backend>: Clone {
    /// Whether an activation accumulates its own gradient. If so, the backward passes of several tapes can contribute
    /// to the gradient of an activation before the backward pass of the tape that computed it.
    const ACCUMULATES_GRADIENTS: bool = false;

    /// Converts a tensor. Its gradient receives the gradient of the activation.
    ///
    /// # Errors
    /// A device failure.
    fn from_tensor<T: Tape<f32, D>>(x: &Tensor4<D>, tape: &mut T) -> Result<Self, OpError>;

    /// Converts a tensor that needs no gradient, such as a batch of images.
    ///
    /// # Errors
    /// A device failure.
    fn constant(x: &Tensor4<D>) -> Result<Self, OpError> {
        Self::from_tensor(x, &mut NoneTape)
    }

    /// Converts the activation to a tensor. The gradient of the activation receives the gradient of the tensor.
    ///
    /// # Errors
    /// A device failure.
    fn to_tensor<T: Tape<f32, D>>(&self, tape: &mut T) -> Result<Tensor4<D>, OpError>;

    /// The first images (all, if there are fewer) as a tensor without gradient.
    ///
    /// # Errors
    /// A device failure.
    fn first_images(&self, images: usize) -> Result<Tensor4<D>, OpError>;

    /// `(n, h, w, c)`.
    fn dims(&self) -> (usize, usize, usize, usize);

    /// Convolution with weights `[kh, kw, c_in / groups, c_out]`, to `[n, h', w', c_out]`; see [`reference::conv2d`].
    ///
    /// # Errors
    /// Channels or groups that do not match the weights, an image smaller than the window, or a device failure.
    fn conv2d<T: Tape<f32, D>>(&self, weight: &Tensor4<D>, spec: ConvSpec, tape: &mut T) -> Result<Self, OpError>;

    /// `conv(relu(x))` in one operation, which need not store `relu(x)`; see [`reference::relu`] and
    /// [`reference::conv2d`].
    ///
    /// # Errors
    /// As [`conv2d`](Self::conv2d).
    fn relu_conv2d<T: Tape<f32, D>>(&self, weight: &Tensor4<D>, spec: ConvSpec, tape: &mut T) -> Result<Self, OpError> {
        self.relu(tape)?.conv2d(weight, spec, tape)
    }

    /// Maximum or average under a window; padding is never counted. See [`reference::pool2d`].
    ///
    /// # Errors
    /// An image smaller than the window, a window that covers only padding, or a device failure.
    fn pool2d<T: Tape<f32, D>>(&self, spec: PoolSpec, tape: &mut T) -> Result<Self, OpError>;

    /// Each image times its factor, `y[i] = factors[i] x[i]`; see [`reference::scale_images`].
    ///
    /// # Errors
    /// An empty activation, another number of factors than images, or a device failure.
    fn scale_images<T: Tape<f32, D>>(&self, factors: &[f32], tape: &mut T) -> Result<Self, OpError>;

    /// The pixels in odd rows and columns, `[n, h, w, c]` to `[n, ceil(h / 2), ceil(w / 2), c]`, with zeros outside of
    /// the image; see [`reference::odd_pixels`]. A 1x1 convolution of the result is one of stride 2 on the image
    /// shifted by one pixel (the second half of a factorised reduction).
    ///
    /// # Errors
    /// An empty activation or a device failure.
    fn odd_pixels<T: Tape<f32, D>>(&self, tape: &mut T) -> Result<Self, OpError>;

    /// Batch normalisation; see [`reference::batch_norm`]. Also returns the moments that it used, if
    /// `norm.return_moments` is true.
    ///
    /// # Errors
    /// Vectors that are not `[1, 1, 1, c]`, or a device failure.
    fn batch_norm<T: Tape<f32, D>>(
        &self,
        norm: NormArgs<'_, D>,
        tape: &mut T,
    ) -> Result<(Self, Option<Moments<D>>), OpError>;

    /// `norm(conv(relu(x)))` in one operation; see [`reference::unit`]. Also returns the moments that it used, if
    /// `norm.return_moments` is true.
    ///
    /// # Errors
    /// As [`conv2d`](Self::conv2d) and [`batch_norm`](Self::batch_norm).
    fn unit<T: Tape<f32, D>>(
        &self,
        weight: &Tensor4<D>,
        spec: UnitSpec,
        norm: NormArgs<'_, D>,
        tape: &mut T,
    ) -> Result<(Self, Option<Moments<D>>), OpError>;

    /// `max(x, 0)`, where a NaN stays a NaN; see [`reference::relu`].
    ///
    /// # Errors
    /// A device failure.
    fn relu<T: Tape<f32, D>>(&self, tape: &mut T) -> Result<Self, OpError>;

    /// `min(max(x, 0), 6)`, where a NaN stays a NaN; see [`reference::relu6`].
    ///
    /// # Errors
    /// A device failure.
    fn relu6<T: Tape<f32, D>>(&self, tape: &mut T) -> Result<Self, OpError>;

    /// Mean over height and width, `[n, h, w, c]` to `[n, 1, 1, c]`.
    ///
    /// # Errors
    /// An empty activation or a device failure.
    fn global_avg_pool<T: Tape<f32, D>>(&self, tape: &mut T) -> Result<Self, OpError>;

    /// `y = x w + b` on `[n, 1, 1, c_in]`, with `w = [1, 1, c_in, c_out]` and `b = [1, 1, 1, c_out]`.
    ///
    /// # Errors
    /// Channels that do not match the weights, or a device failure.
    fn linear<T: Tape<f32, D>>(
        &self,
        weight: &Tensor4<D>,
        bias: Option<&Tensor4<D>>,
        tape: &mut T,
    ) -> Result<Self, OpError>;

    /// Element-wise sum of one or more activations of equal shape.
    ///
    /// # Errors
    /// No activation, unequal shapes or a device failure.
    fn sum<T: Tape<f32, D>>(terms: &[&Self], tape: &mut T) -> Result<Self, OpError>;

    /// Concatenation along channels of one or more activations of equal `n`, `h`, `w`.
    ///
    /// # Errors
    /// No activation, unequal sizes or a device failure.
    fn concat<T: Tape<f32, D>>(parts: &[&Self], tape: &mut T) -> Result<Self, OpError>;
}

impl<D: Backend> Activation<D> for Tensor4<D> {
    fn from_tensor<T: Tape<f32, D>>(x: &Tensor4<D>, _: &mut T) -> Result<Self, OpError> {
        Ok(x.clone())
    }

    fn to_tensor<T: Tape<f32, D>>(&self, _: &mut T) -> Result<Tensor4<D>, OpError> {
        Ok(self.clone())
    }

    fn first_images(&self, images: usize) -> Result<Tensor4<D>, OpError> {
        if images >= self.shape().0 {
            return Ok(self.clone());
        }
        self.clone().try_slice((0..images, .., .., ..)).map_err(OpError::device("output"))
    }

    fn dims(&self) -> (usize, usize, usize, usize) {
        *self.shape()
    }

    fn conv2d<T: Tape<f32, D>>(&self, weight: &Tensor4<D>, spec: ConvSpec, tape: &mut T) -> Result<Self, OpError> {
        reference::conv2d(self, weight, spec, tape)
    }

    fn pool2d<T: Tape<f32, D>>(&self, spec: PoolSpec, tape: &mut T) -> Result<Self, OpError> {
        reference::pool2d(self, spec, tape)
    }

    fn scale_images<T: Tape<f32, D>>(&self, factors: &[f32], tape: &mut T) -> Result<Self, OpError> {
        reference::scale_images(self, factors, tape)
    }

    fn odd_pixels<T: Tape<f32, D>>(&self, tape: &mut T) -> Result<Self, OpError> {
        reference::odd_pixels(self, tape)
    }

    fn batch_norm<T: Tape<f32, D>>(
        &self,
        norm: NormArgs<'_, D>,
        tape: &mut T,
    ) -> Result<(Self, Option<Moments<D>>), OpError> {
        reference::batch_norm(self, norm, tape)
    }

    fn unit<T: Tape<f32, D>>(
        &self,
        weight: &Tensor4<D>,
        spec: UnitSpec,
        norm: NormArgs<'_, D>,
        tape: &mut T,
    ) -> Result<(Self, Option<Moments<D>>), OpError> {
        reference::unit(self, weight, spec, norm, tape)
    }

    fn relu<T: Tape<f32, D>>(&self, tape: &mut T) -> Result<Self, OpError> {
        reference::relu(self, tape)
    }

    fn relu6<T: Tape<f32, D>>(&self, tape: &mut T) -> Result<Self, OpError> {
        reference::relu6(self, tape)
    }

    fn global_avg_pool<T: Tape<f32, D>>(&self, tape: &mut T) -> Result<Self, OpError> {
        reference::global_avg_pool(self, tape)
    }

    fn linear<T: Tape<f32, D>>(
        &self,
        weight: &Tensor4<D>,
        bias: Option<&Tensor4<D>>,
        tape: &mut T,
    ) -> Result<Self, OpError> {
        reference::linear(self, weight, bias, tape)
    }

    fn sum<T: Tape<f32, D>>(terms: &[&Self], tape: &mut T) -> Result<Self, OpError> {
        reference::sum(terms, tape)
    }

    fn concat<T: Tape<f32, D>>(parts: &[&Self], tape: &mut T) -> Result<Self, OpError> {
        reference::concat(parts, tape)
    }
}
