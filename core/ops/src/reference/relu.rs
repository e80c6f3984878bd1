//! Rectified linear units.

use super::taped;
use crate::{Device, OpError, Tensor4};
use dfdx::prelude::*;

/// `max(x, 0)`, where a NaN stays a NaN. The gradient at 0 is 0. PyTorch: `relu`.
///
/// The ReLU of dfdx turns a NaN into 0, which would hide that a network has diverged.
///
/// # Errors
/// A device failure.
pub fn relu<D: Device, T: Tape<f32, D>>(x: &Tensor4<D>, tape: &mut T) -> Result<Tensor4<D>, OpError> {
    taped("relu", x, tape, |x| {
        let inactive = x.try_le(0.0)?;
        let zeros = x.device().try_zeros_like(x.shape())?.put_tape(T::default());
        inactive.try_choose(zeros, x)
    })
}

/// `min(max(x, 0), 6)`, where a NaN stays a NaN. The gradient at 0 and at 6 is 0. PyTorch: `relu6`.
///
/// # Errors
/// A device failure.
pub fn relu6<D: Device, T: Tape<f32, D>>(x: &Tensor4<D>, tape: &mut T) -> Result<Tensor4<D>, OpError> {
    let y = relu(x, tape)?;
    taped("relu6", &y, tape, |y| {
        let beyond = y.try_ge(6.0)?;
        let sixes = y.device().try_ones_like(y.shape())?.try_mul(6.0)?.put_tape(T::default());
        beyond.try_choose(sixes, y)
    })
}
