//! Rectified linear unit.

use super::taped;
use crate::{Backend, OpError, Tensor4};
use dfdx::prelude::*;

/// `max(x, 0)`; a NaN stays a NaN, and the gradient at 0 is 0. PyTorch: `relu`.
///
/// dfdx's own ReLU turns a NaN into 0, which would hide a diverged network.
///
/// # Errors
/// A failing device.
pub fn relu<D: Backend, T: Tape<f32, D>>(x: &Tensor4<D>, tape: &mut T) -> Result<Tensor4<D>, OpError> {
    taped("relu", x, tape, |x| {
        let closed = x.try_le(0.0)?;
        let zeros = x.device().try_zeros_like(x.shape())?.put_tape(T::default());
        closed.try_choose(zeros, x)
    })
}
