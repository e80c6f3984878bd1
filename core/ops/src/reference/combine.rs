//! Sums, concatenations, means over space and linear layers.

use super::{renamed, taped};
use crate::{
    Device, OpError, Tensor4,
    shape::{check_linear, check_parts, check_terms, not_empty},
};
use dfdx::prelude::*;

/// Element-wise sum of one or more tensors of equal shape. PyTorch: `sum(terms)`.
///
/// # Errors
/// No tensor, unequal shapes or a device failure.
pub fn sum<D: Device, T: Tape<f32, D>>(terms: &[&Tensor4<D>], tape: &mut T) -> Result<Tensor4<D>, OpError> {
    check_terms(terms.iter().map(|term| *term.shape()))?;
    taped("sum", terms[0], tape, |first| {
        terms[1..].iter().try_fold(first, |total, term| total.try_add(renamed(term.retaped::<T>())?))
    })
}

/// Concatenation along channels of one or more tensors of equal `n`, `h`, `w`. PyTorch: `cat` on dimension 1 of NCHW.
///
/// # Errors
/// No tensor, unequal sizes or a device failure.
pub fn concat<D: Device, T: Tape<f32, D>>(parts: &[&Tensor4<D>], tape: &mut T) -> Result<Tensor4<D>, OpError> {
    check_parts(parts.iter().map(|part| *part.shape()))?;
    taped("concat", parts[0], tape, |first| {
        parts[1..]
            .iter()
            .try_fold(first, |whole, part| (whole, renamed(part.retaped::<T>())?).try_concat_along(Axis::<3>))
    })
}

/// Mean over height and width, `[n, h, w, c]` to `[n, 1, 1, c]`. PyTorch: `adaptive_avg_pool2d(x, 1)`.
///
/// # Errors
/// An empty tensor or a device failure.
pub fn global_avg_pool<D: Device, T: Tape<f32, D>>(x: &Tensor4<D>, tape: &mut T) -> Result<Tensor4<D>, OpError> {
    let (n, _, _, c) = not_empty("global_avg_pool", *x.shape())?;
    taped("global_avg_pool", x, tape, |x| x.try_mean::<(usize, usize), Axes2<1, 2>>()?.try_reshape_like(&(n, 1, 1, c)))
}

/// `y = x w + b` on `[n, 1, 1, c_in]`, with `w = [1, 1, c_in, c_out]` and `b = [1, 1, 1, c_out]`.
///
/// # Errors
/// Channels that do not match the weights, or a device failure.
pub fn linear<D: Device, T: Tape<f32, D>>(
    x: &Tensor4<D>,
    weight: &Tensor4<D>,
    bias: Option<&Tensor4<D>>,
    tape: &mut T,
) -> Result<Tensor4<D>, OpError> {
    let (n, c_in, c_out) = check_linear(*x.shape(), weight, bias)?;
    taped("linear", x, tape, |x| {
        let weight = weight.retaped::<T>().try_reshape_like(&(c_in, c_out))?;
        let y = renamed(x.try_reshape_like(&(n, c_in))?)?.try_matmul(weight)?;
        let y = match bias {
            Some(bias) => {
                let bias = bias.retaped::<T>().try_reshape_like(&(c_out,))?;
                y.try_add(bias.try_broadcast_like::<_, Axis<0>>(&(n, c_out))?)?
            }
            None => y,
        };
        y.try_reshape_like(&(n, 1, 1, c_out))
    })
}
