//! Batch normalisation, and the unit of ReLU, convolution and batch normalisation.

use super::{Traced, conv2d, relu, renamed, taped};
use crate::{
    Device, EPS, Moments, NormArgs, OpError, Tensor4, UnitSpec,
    shape::{Dims, check_norm, not_empty},
};
use dfdx::prelude::*;

/// `y = scale (x - mean) / sqrt(variance + EPS) + shift` on `[n, h, w, c]`; also returns the moments that it used, if
/// they are wanted.
///
/// PyTorch: `batch_norm`, with `training=norm.fixed.is_none()`.
///
/// # Errors
/// Vectors that are not `[1, 1, 1, c]`, or a device failure.
pub fn batch_norm<D: Device, T: Tape<f32, D>>(
    x: &Tensor4<D>,
    norm: NormArgs<'_, D>,
    tape: &mut T,
) -> Result<(Tensor4<D>, Option<Moments<D>>), OpError> {
    let dims = not_empty("batch_norm", *x.shape())?;
    check_norm("batch_norm", dims.3, &norm)?;
    let (vector, channels) = ((1, 1, 1, dims.3), (dims.3,));
    let mut used = norm.fixed.cloned();
    let y = taped("batch_norm", x, tape, |x| {
        let (centred, variance) = match norm.fixed {
            Some(fixed) => {
                let mean =
                    fixed.mean.clone().try_reshape_like(&channels)?.try_broadcast_like::<_, Axes3<0, 1, 2>>(&dims)?;
                let variance = fixed.variance.retaped::<T>().try_reshape_like(&channels)?;
                (renamed(x)?.try_sub(mean)?, variance)
            }
            None => {
                let mean = mean_of_channels(x.retaped::<T>())?;
                let (mean, mean_tape) = mean.split_tape();
                let broadcast = mean.clone().put_tape(mean_tape).try_broadcast_like::<_, Axes3<0, 1, 2>>(&dims)?;
                let centred = x.try_sub(broadcast)?;
                let (variance, variance_tape) = mean_of_channels(centred.retaped::<T>().try_square()?)?.split_tape();
                used = Some(Moments {
                    mean: mean.try_reshape_like(&vector)?,
                    variance: variance.clone().try_reshape_like(&vector)?,
                });
                (centred, variance.put_tape(variance_tape))
            }
        };
        let deviation = variance.try_add(EPS)?.try_sqrt()?.try_broadcast_like::<_, Axes3<0, 1, 2>>(&dims)?;
        let y = centred.try_div(deviation)?;
        let Some((scale, shift)) = norm.affine else { return Ok(y) };
        let [scale, shift] = [scale, shift].map(|v| v.retaped::<T>().try_reshape_like(&channels));
        y.try_mul(scale?.try_broadcast_like::<_, Axes3<0, 1, 2>>(&dims)?)?
            .try_add(shift?.try_broadcast_like::<_, Axes3<0, 1, 2>>(&dims)?)
    })?;
    Ok((y, used.filter(|_| norm.return_moments)))
}

/// `norm(conv(relu(x)))`, or without the ReLU; also returns the moments that it used, if they are
/// wanted.
///
/// # Errors
/// As [`conv2d`] and [`batch_norm`].
pub fn unit<D: Device, T: Tape<f32, D>>(
    x: &Tensor4<D>,
    weight: &Tensor4<D>,
    spec: UnitSpec,
    norm: NormArgs<'_, D>,
    tape: &mut T,
) -> Result<(Tensor4<D>, Option<Moments<D>>), OpError> {
    check_norm("unit", weight.shape().3, &norm)?;
    let z =
        if spec.relu { conv2d(&relu(x, tape)?, weight, spec.conv, tape)? } else { conv2d(x, weight, spec.conv, tape)? };
    batch_norm(&z, norm, tape)
}

/// Mean over batch, height and width. Each image is averaged first, which reduces rounding errors.
fn mean_of_channels<D: Device, T: Tape<f32, D>>(x: Tensor<Dims, f32, D, T>) -> Traced<(usize,), D, T> {
    x.try_mean::<(usize, usize), Axes2<1, 2>>()?.try_mean::<(usize,), Axis<0>>()
}
