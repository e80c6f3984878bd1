//! The rows that a convolution multiplies with its weights.

use super::{buffer::Buffer, contiguous};
use crate::{
    ConvSpec, OpError, Tensor4,
    shape::{ConvShape, elements, taps},
};
use dfdx::{
    shapes::HasShape,
    tensor::{Cpu, NoneTape, TensorFromVec},
};
use rayon::prelude::*;

/// As [`crate::reference::patches`].
pub fn patches(x: &Tensor4<Cpu>, spec: ConvSpec) -> Result<Tensor4<Cpu>, OpError> {
    let op = "patches";
    let ConvShape { n, size: [h, w], out, c_in, groups, window, .. } = ConvShape::of_input(op, *x.shape(), spec)?;
    let x = contiguous(op, x, &mut NoneTape)?;
    let (device, values) = (x.device().clone(), Buffer::read(&x));
    let (area, inputs) = (out[0] * out[1], c_in / groups);
    let row = window.kernel[0] * window.kernel[1] * inputs;
    let dims = (1, groups, n * area, row);
    let mut rows = vec![0.0; elements(dims)];
    // Images of the first group, then those of the second.
    rows.par_chunks_mut(area * row).enumerate().for_each(|(i, rows)| {
        let (group, image) = (i / n, &values[i % n * h * w * c_in..][..h * w * c_in]);
        for (position, patch) in rows.chunks_exact_mut(row).enumerate() {
            for (a, y) in taps(&window, 0, position / out[1], h) {
                for (b, x) in taps(&window, 1, position % out[1], w) {
                    let pixel = &image[(y * w + x) * c_in + group * inputs..][..inputs];
                    patch[(a * window.kernel[1] + b) * inputs..][..inputs].copy_from_slice(pixel);
                }
            }
        }
    });
    device.try_tensor_from_vec(rows, dims).map_err(OpError::device(op))
}
