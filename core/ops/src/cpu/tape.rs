//! A dfdx tape behind a trait object, so that each operation is compiled once and not once per type of tape.

use crate::{OpError, Tensor4, reference::taped};
use dfdx::{
    tensor::{Cpu, CpuError, Gradients, Tape},
    tensor_ops::ReshapeTo,
};

/// The backward pass of one operation.
pub type BackwardOp = Box<dyn FnOnce(&mut Gradients<f32, Cpu>) -> Result<(), CpuError>>;

/// Records the backward passes of operations; every dfdx tape of the CPU is one.
pub trait Recorder {
    /// Whether [`record`](Self::record) keeps backward passes. Operations prepare none otherwise.
    fn is_recording(&self) -> bool;

    /// Adds the backward pass of an operation.
    fn record(&mut self, backward: BackwardOp);

    /// The tensor itself, or a copy in row-major order if it is permuted or broadcast.
    fn contiguous(&mut self, op: &'static str, x: &Tensor4<Cpu>) -> Result<Tensor4<Cpu>, OpError>;
}

impl<T: Tape<f32, Cpu>> Recorder for T {
    fn is_recording(&self) -> bool {
        T::OWNS_TAPE
    }

    fn record(&mut self, backward: BackwardOp) {
        self.add_backward_op(backward);
    }

    fn contiguous(&mut self, op: &'static str, x: &Tensor4<Cpu>) -> Result<Tensor4<Cpu>, OpError> {
        taped(op, x, self, |x| x.try_contiguous())
    }
}
