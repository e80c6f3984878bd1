//! Scaling of each image of a batch.

use super::taped;
use crate::{
    Device, OpError, Tensor4,
    shape::{factor_for_each_image, not_empty},
};
use dfdx::prelude::*;

/// Each image of `x` times its factor, `y[i] = factors[i] x[i]`, `[n, h, w, c]` to the same shape. Drop path sets the
/// factors of dropped images to 0 and those of the others to `1 / (1 - p)`.
///
/// # Errors
/// An empty tensor, another number of factors than images, or a device failure.
pub fn scale_images<D: Device, T: Tape<f32, D>>(
    x: &Tensor4<D>,
    factors: &[f32],
    tape: &mut T,
) -> Result<Tensor4<D>, OpError> {
    let dims = not_empty("scale_images", *x.shape())?;
    factor_for_each_image(factors, dims)?;
    let factors = factors.to_vec();
    taped("scale_images", x, tape, |x| {
        let factors = x.device().clone().try_tensor_from_vec(factors, (dims.0,))?;
        x.try_mul(factors.try_broadcast_like::<_, Axes3<1, 2, 3>>(&dims)?)
    })
}
