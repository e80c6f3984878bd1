//! Patches: the rows that a convolution multiplies with its weights.

use crate::{
    ConvSpec, OpError,
    shape::{ConvShape, taps},
};

/// The inputs of a convolution of `x`, `[n, h, w, c_in]`, as rows `[groups, n h' w', kh kw c_in / groups]` on the host.
/// The elements of a row are in the order `(row, column, channel)` of the weights.
///
/// # Errors
/// As [`Activation::conv2d`](crate::Activation::conv2d).
///
/// # Panics
/// If `x` does not have `n h w c_in` elements.
pub fn patches(x: &[f32], dims: (usize, usize, usize, usize), spec: ConvSpec) -> Result<Vec<f32>, OpError> {
    let ConvShape { n, size: [h, w], out, c_in, groups, window, .. } = ConvShape::of_input("patches", dims, spec)?;
    assert_eq!(x.len(), n * h * w * c_in, "x must have the elements of {dims:?}");
    let (area, inputs) = (out[0] * out[1], c_in / groups);
    let row = window.kernel[0] * window.kernel[1] * inputs;
    let mut rows = vec![0.0; groups * n * area * row];
    // Images of the first group, then those of the second.
    for (i, rows) in rows.chunks_exact_mut(area * row).enumerate() {
        let (group, image) = (i / n, &x[i % n * h * w * c_in..][..h * w * c_in]);
        for (position, patch) in rows.chunks_exact_mut(row).enumerate() {
            for (a, y) in taps(&window, 0, position / out[1], h) {
                for (b, x) in taps(&window, 1, position % out[1], w) {
                    let pixel = &image[(y * w + x) * c_in + group * inputs..][..inputs];
                    patch[(a * window.kernel[1] + b) * inputs..][..inputs].copy_from_slice(pixel);
                }
            }
        }
    }
    Ok(rows)
}
