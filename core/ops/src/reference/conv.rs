//! Convolution as a matrix product of patches and weights.

use super::{Traced, taped};
use crate::{
    ConvSpec, Device, OpError, Tensor4,
    shape::{ConvShape, Dims, taps},
};
use dfdx::prelude::*;

/// `y[n, i, j, o] = sum x[n, i s + a d - p, j s + b d - p, c] w[a, b, c, o]`. PyTorch: `conv2d` without bias.
///
/// Input `[n, h, w, c_in]`, weights `[kh, kw, c_in / groups, c_out]`, output `[n, h', w', c_out]`.
///
/// # Errors
/// Channels or groups that do not match the weights, an image smaller than the window, or a device failure.
pub fn conv2d<D: Device, T: Tape<f32, D>>(
    x: &Tensor4<D>,
    weight: &Tensor4<D>,
    spec: ConvSpec,
    tape: &mut T,
) -> Result<Tensor4<D>, OpError> {
    let shape = ConvShape::new("conv2d", *x.shape(), *weight.shape(), spec)?;
    let ConvShape { n, out: [h, w], c_in, c_out, groups, .. } = shape;
    let [kh, kw] = spec.window.kernel;
    let (inputs, outputs) = (kh * kw * c_in / groups, c_out / groups);
    taped("conv2d", x, tape, |x| {
        let matrices = weight
            .retaped::<T>()
            .try_reshape_like(&(inputs, groups, outputs))?
            .try_permute::<_, Axes3<1, 0, 2>>()?
            .try_reshape_like(&(groups, inputs, outputs))?;
        unfold(x, &shape)?.try_matmul(matrices)?.try_permute::<_, Axes3<1, 0, 2>>()?.try_reshape_like(&(n, h, w, c_out))
    })
}

/// Patches: the rows that a convolution multiplies with its weights, `[1, groups, n h' w', kh kw c_in / groups]`.
///
/// # Errors
/// As [`conv2d`].
pub fn patches<D: Device>(x: &Tensor4<D>, spec: ConvSpec) -> Result<Tensor4<D>, OpError> {
    let shape = ConvShape::of_input("patches", *x.shape(), spec)?;
    taped("patches", x, &mut NoneTape, |x| {
        let rows = unfold(x, &shape)?;
        let (groups, pixels, inputs) = *rows.shape();
        rows.try_reshape_like(&(1, groups, pixels, inputs))
    })
}

/// The patches `[groups, n h' w', kh kw c_in / groups]`, gathered from the pixels of `x` and one additional pixel of
/// zeros for the padding.
fn unfold<D: Device, T: Tape<f32, D>>(
    x: Tensor<Dims, f32, D, T>,
    shape: &ConvShape,
) -> Traced<(usize, usize, usize), D, T> {
    let ConvShape { n, size: [h, w], out, c_in, groups, window, .. } = *shape;
    let (outside, area) = (n * h * w, window.kernel[0] * window.kernel[1]);
    let pixels = n * out[0] * out[1];
    let mut sources = vec![outside; pixels * area];
    for (image, image_sources) in sources.chunks_exact_mut(out[0] * out[1] * area).enumerate() {
        for (position, patch) in image_sources.chunks_exact_mut(area).enumerate() {
            for (a, row) in taps(&window, 0, position / out[1], h) {
                for (b, column) in taps(&window, 1, position % out[1], w) {
                    patch[a * window.kernel[1] + b] = (image * h + row) * w + column;
                }
            }
        }
    }
    let device = x.device().clone();
    let sources = device.try_tensor_from_vec(sources, (pixels * area,))?;
    let zero = device.try_zeros_like(&(1, c_in))?;
    let patches: Tensor<(usize, usize), f32, D, T> =
        (x.try_reshape_like(&(outside, c_in))?, zero).try_concat_along(Axis::<0>)?.try_gather(sources)?;
    patches
        .try_reshape_like(&(pixels, area, groups, c_in / groups))?
        .try_permute::<_, Axes4<2, 0, 1, 3>>()?
        .try_reshape_like(&(groups, pixels, area * c_in / groups))
}
