//! A dfdx tape behind a trait object, so that each operation is compiled once and not once per type of tape.

use crate::{Device, OpError, Tensor4, reference::taped};
use dfdx::{
    tensor::{Gradients, HasErr, Tape},
    tensor_ops::ReshapeTo,
};

/// The backward pass of one operation.
pub type BackwardOp<D> = Box<dyn FnOnce(&mut Gradients<f32, D>) -> Result<(), <D as HasErr>::Err>>;

/// Records the backward passes of operations; every dfdx tape of the device is one.
pub trait Recorder<D: Device> {
    /// Whether [`record`](Self::record) keeps backward passes. Operations prepare none otherwise.
    fn is_recording(&self) -> bool;

    /// Adds the backward pass of an operation.
    fn record(&mut self, backward: BackwardOp<D>);

    /// The tensor itself, or a copy in row-major order if it is permuted or broadcast.
    fn contiguous(&mut self, op: &'static str, x: &Tensor4<D>) -> Result<Tensor4<D>, OpError>;
}

impl<D: Device, T: Tape<f32, D>> Recorder<D> for T {
    fn is_recording(&self) -> bool {
        T::OWNS_TAPE
    }

    fn record(&mut self, backward: BackwardOp<D>) {
        self.add_backward_op(backward);
    }

    fn contiguous(&mut self, op: &'static str, x: &Tensor4<D>) -> Result<Tensor4<D>, OpError> {
        taped(op, x, self, |x| x.try_contiguous())
    }
}
