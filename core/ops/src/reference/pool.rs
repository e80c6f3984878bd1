//! Maximum and average under a window.

use super::{Traced, taped};
use crate::{
    Device, OpError, PoolKind, PoolSpec, Tensor4,
    shape::{PoolShape, taps},
};
use dfdx::prelude::*;

type Pixels<D, T> = Tensor<(usize, usize), f32, D, T>;

/// Maximum or average under a window, `[n, h, w, c]` to `[n, h', w', c]`; padding never counts.
///
/// PyTorch: `max_pool2d`, and `avg_pool2d` with `count_include_pad=False`.
///
/// # Errors
/// An image smaller than the window, a window that covers only padding, or a device failure.
pub fn pool2d<D: Device, T: Tape<f32, D>>(x: &Tensor4<D>, spec: PoolSpec, tape: &mut T) -> Result<Tensor4<D>, OpError> {
    let shape = PoolShape::new(*x.shape(), spec)?;
    let PoolShape { n, size: [h, w], out, c, .. } = shape;
    taped("pool2d", x, tape, |x| {
        let x = x.try_reshape_like(&(n * h * w, c))?;
        let y = match spec.kind {
            PoolKind::Max => maximum(x, &shape)?,
            PoolKind::Average => average(x, &shape)?,
        };
        y.try_reshape_like(&(n, out[0], out[1], c))
    })
}

/// Processes one tap after the other and keeps the larger value, or a NaN. Of equal values the first stays.
fn maximum<D: Device, T: Tape<f32, D>>(x: Pixels<D, T>, shape: &PoolShape) -> Traced<(usize, usize), D, T> {
    let device = x.device().clone();
    let windows = windows(shape);
    let most = windows.iter().map(Vec::len).max().unwrap_or(1);
    // A window with fewer pixels than `most` repeats its first pixel, which changes neither the maximum nor its
    // gradient.
    let tap = |i: usize| windows.iter().map(|window| window.get(i).copied().unwrap_or(window[0])).collect::<Vec<_>>();
    let bare = x.retaped::<T>();
    let mut best: Pixels<D, T> = x.try_gather(device.try_tensor_from_vec(tap(0), (windows.len(),))?)?;
    for i in 1..most {
        let sources = device.try_tensor_from_vec(tap(i), (windows.len(),))?;
        let next: Pixels<D, T> = bare.retaped::<T>().try_gather(sources.clone())?;
        let larger = next.try_gt(&best)?;
        best = larger.try_choose(next, best)?;
        let next: Pixels<D, T> = bare.retaped::<T>().try_gather(sources)?;
        let nan = next.try_ne(&next)?;
        best = nan.try_choose(next, best)?;
    }
    Ok(best)
}

/// Sums the taps one after the other and divides by the number of pixels that each window covers.
fn average<D: Device, T: Tape<f32, D>>(x: Pixels<D, T>, shape: &PoolShape) -> Traced<(usize, usize), D, T> {
    let device = x.device().clone();
    let windows = windows(shape);
    let (outside, outputs) = (shape.n * shape.size[0] * shape.size[1], windows.len());
    let most = windows.iter().map(Vec::len).max().unwrap_or(1);
    let sources = windows
        .iter()
        .flat_map(|window| window.iter().copied().chain(std::iter::repeat(outside)).take(most))
        .collect::<Vec<_>>();
    let inverse_counts = windows.iter().map(|window| 1.0 / window.len() as f32).collect::<Vec<_>>();
    let zero = device.try_zeros_like(&(1, shape.c))?;
    let taps: Pixels<D, T> =
        (x, zero).try_concat_along(Axis::<0>)?.try_gather(device.try_tensor_from_vec(sources, (outputs * most,))?)?;
    let inverse_counts = device.try_tensor_from_vec(inverse_counts, (outputs,))?;
    taps.try_reshape_like(&(outputs, most, shape.c))?
        .try_sum::<(usize, usize), Axis<1>>()?
        .try_mul(inverse_counts.try_broadcast_like::<_, Axis<1>>(&(outputs, shape.c))?)
}

/// For each output, the pixels under its window in row-major order. Pixels are numbered through all images.
fn windows(shape: &PoolShape) -> Vec<Vec<usize>> {
    let PoolShape { n, size: [h, w], out, window, .. } = *shape;
    let positions = (0..n).flat_map(|image| (0..out[0]).flat_map(move |i| (0..out[1]).map(move |j| (image, i, j))));
    positions
        .map(|(image, i, j)| {
            let rows = taps(&window, 0, i, h);
            rows.flat_map(|(_, row)| taps(&window, 1, j, w).map(move |(_, column)| (image * h + row) * w + column))
                .collect()
        })
        .collect()
}
