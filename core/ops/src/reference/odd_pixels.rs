//! Subsampling by two.

use super::taped;
use crate::{
    Device, OpError, Tensor4,
    shape::{half, not_empty},
};
use dfdx::prelude::*;

/// The pixels in odd rows and odd columns (counted from 0), `[n, h, w, c]` to `[n, ceil(h / 2), ceil(w / 2), c]`:
/// `y[i, j] = x[2 i + 1, 2 j + 1]`, and 0 outside of the image. The output is as large as that of a convolution of
/// stride 2, also for odd sizes.
///
/// PyTorch: `pad(x, (0, w % 2, 0, h % 2))[:, :, 1::2, 1::2]` in NCHW.
///
/// # Errors
/// An empty tensor or a device failure.
pub fn odd_pixels<D: Device, T: Tape<f32, D>>(x: &Tensor4<D>, tape: &mut T) -> Result<Tensor4<D>, OpError> {
    let (n, h, w, c) = not_empty("odd_pixels", *x.shape())?;
    let output = half((n, h, w, c));
    let outside = n * h * w;
    let rows = (0..n).flat_map(|image| (0..output.1).map(move |i| (image, 2 * i + 1)));
    let pixels = rows.flat_map(|(image, row)| (0..output.2).map(move |j| (image, row, 2 * j + 1)));
    let pixel = |(image, row, column)| if row < h && column < w { (image * h + row) * w + column } else { outside };
    let sources: Vec<usize> = pixels.map(pixel).collect();
    taped("odd_pixels", x, tape, |x| {
        let device = x.device().clone();
        let zero = device.try_zeros_like(&(1, c))?;
        let sources = device.try_tensor_from_vec(sources, (n * output.1 * output.2,))?;
        let pixels: Tensor<(usize, usize), f32, D, T> = x.try_reshape_like(&(n * h * w, c))?;
        let y: Tensor<(usize, usize), f32, D, T> = (pixels, zero).try_concat_along(Axis::<0>)?.try_gather(sources)?;
        y.try_reshape_like(&output)
    })
}
