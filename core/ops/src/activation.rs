//! What flows between the operations of a network.

use crate::{Backend, ConvSpec, Moments, NormArgs, OpError, PoolSpec, Tensor4, UnitSpec, reference};
use dfdx::{
    shapes::HasShape,
    tensor::{NoneTape, Tape},
};

/// A value `[n, h, w, c]` between two operations, as a device likes to hold it. Cloning it copies no numbers.
///
/// The operations are those of [`Backend`] and fail as those do. They record their backward pass on `tape`, on which
/// gradients of activations need not appear: only those of weights and of the tensors that entered do.
pub trait Activation<D: Backend>: Clone {
    /// Whether a value gathers its gradient itself, so that the backward passes of several tapes can add to it before
    /// that of the tape it was made on reads it.
    const GATHERS: bool = false;

    /// A tensor on its way into the network; its gradient will arrive at the tensor.
    ///
    /// # Errors
    /// A failing device; likewise for all that follows.
    fn enter<T: Tape<f32, D>>(x: &Tensor4<D>, tape: &mut T) -> Result<Self, OpError>;

    /// A tensor whose gradient nobody asks for, such as a batch of images.
    ///
    /// # Errors
    /// See [`enter`](Self::enter).
    fn constant(x: &Tensor4<D>) -> Result<Self, OpError> {
        Self::enter(x, &mut NoneTape)
    }

    /// The value as a tensor; its gradient will arrive here.
    ///
    /// # Errors
    /// See [`enter`](Self::enter).
    fn leave<T: Tape<f32, D>>(&self, tape: &mut T) -> Result<Tensor4<D>, OpError>;

    /// The first images, or all if there are fewer, as a tensor whose gradient nobody asks for.
    ///
    /// # Errors
    /// See [`enter`](Self::enter).
    fn first(&self, images: usize) -> Result<Tensor4<D>, OpError>;

    /// `(n, h, w, c)`.
    fn dims(&self) -> (usize, usize, usize, usize);

    /// See [`Backend::conv2d`].
    ///
    /// # Errors
    /// See [`Backend::conv2d`].
    fn conv2d<T: Tape<f32, D>>(&self, weight: &Tensor4<D>, spec: ConvSpec, tape: &mut T) -> Result<Self, OpError>;

    /// See [`Backend::pool2d`].
    ///
    /// # Errors
    /// See [`Backend::pool2d`].
    fn pool2d<T: Tape<f32, D>>(&self, spec: PoolSpec, tape: &mut T) -> Result<Self, OpError>;

    /// See [`Backend::batch_norm`].
    ///
    /// # Errors
    /// See [`Backend::batch_norm`].
    fn batch_norm<T: Tape<f32, D>>(&self, norm: NormArgs<'_, D>, tape: &mut T) -> Result<(Self, Moments<D>), OpError>;

    /// See [`Backend::unit`].
    ///
    /// # Errors
    /// See [`Backend::unit`].
    fn unit<T: Tape<f32, D>>(
        &self,
        weight: &Tensor4<D>,
        spec: UnitSpec,
        norm: NormArgs<'_, D>,
        tape: &mut T,
    ) -> Result<(Self, Moments<D>), OpError>;

    /// See [`Backend::relu`].
    ///
    /// # Errors
    /// See [`Backend::relu`].
    fn relu<T: Tape<f32, D>>(&self, tape: &mut T) -> Result<Self, OpError>;

    /// See [`Backend::global_avg_pool`].
    ///
    /// # Errors
    /// See [`Backend::global_avg_pool`].
    fn global_avg_pool<T: Tape<f32, D>>(&self, tape: &mut T) -> Result<Self, OpError>;

    /// See [`Backend::linear`].
    ///
    /// # Errors
    /// See [`Backend::linear`].
    fn linear<T: Tape<f32, D>>(
        &self,
        weight: &Tensor4<D>,
        bias: Option<&Tensor4<D>>,
        tape: &mut T,
    ) -> Result<Self, OpError>;

    /// See [`Backend::sum`].
    ///
    /// # Errors
    /// See [`Backend::sum`].
    fn sum<T: Tape<f32, D>>(terms: &[&Self], tape: &mut T) -> Result<Self, OpError>;

    /// See [`Backend::concat`].
    ///
    /// # Errors
    /// See [`Backend::concat`].
    fn concat<T: Tape<f32, D>>(parts: &[&Self], tape: &mut T) -> Result<Self, OpError>;
}

impl<D: Backend> Activation<D> for Tensor4<D> {
    fn enter<T: Tape<f32, D>>(x: &Tensor4<D>, _: &mut T) -> Result<Self, OpError> {
        Ok(x.clone())
    }

    fn leave<T: Tape<f32, D>>(&self, _: &mut T) -> Result<Tensor4<D>, OpError> {
        Ok(self.clone())
    }

    fn first(&self, images: usize) -> Result<Tensor4<D>, OpError> {
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

    fn batch_norm<T: Tape<f32, D>>(&self, norm: NormArgs<'_, D>, tape: &mut T) -> Result<(Self, Moments<D>), OpError> {
        reference::batch_norm(self, norm, tape)
    }

    fn unit<T: Tape<f32, D>>(
        &self,
        weight: &Tensor4<D>,
        spec: UnitSpec,
        norm: NormArgs<'_, D>,
        tape: &mut T,
    ) -> Result<(Self, Moments<D>), OpError> {
        reference::unit(self, weight, spec, norm, tape)
    }

    fn relu<T: Tape<f32, D>>(&self, tape: &mut T) -> Result<Self, OpError> {
        reference::relu(self, tape)
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
