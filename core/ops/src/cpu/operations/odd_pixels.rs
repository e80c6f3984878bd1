//! Subsampling by two.

use crate::{
    OpError,
    cpu::{activation::CpuActivation, buffer::Buffer, elementwise::add_assign},
    shape::{Dims, elements, half, not_empty},
    tape::Recorder,
};
use dfdx::tensor::Cpu;
use rayon::prelude::*;

/// As [`crate::reference::odd_pixels`].
pub fn odd_pixels(x: &CpuActivation, tape: &mut dyn Recorder<Cpu>) -> Result<CpuActivation, OpError> {
    let dims = not_empty("odd_pixels", x.dims())?;
    let output = half(dims);
    let (x_image, y_image) = (elements(dims) / dims.0, elements(output) / dims.0);
    let mut y = Buffer::uninitialised(elements(output));
    y.par_chunks_mut(y_image).zip(x.normalised().par_chunks(x_image)).for_each(|(y, x)| {
        y.fill(0.0);
        each_pixel(dims, |from, to| y[to..to + dims.3].copy_from_slice(&x[from..from + dims.3]));
    });
    let y = CpuActivation::new(output, y);
    if tape.is_recording() {
        let (input, output) = (x.gradient(), y.gradient());
        tape.record(Box::new(move |_| {
            let Some(dy) = output.take() else { return Ok(()) };
            input.accumulate(elements(dims), |dx, overwrite| {
                dx.par_chunks_mut(x_image).zip(dy.par_chunks(y_image)).for_each(|(dx, dy)| {
                    if overwrite {
                        dx.fill(0.0);
                    }
                    each_pixel(dims, |from, to| add_assign(&mut dx[from..from + dims.3], &dy[to..to + dims.3]));
                });
            });
            Ok(())
        }));
    }
    Ok(y)
}

/// Calls `work` with the offset of each odd pixel in an image of `dims`, and with its offset in the output.
fn each_pixel(dims: Dims, mut work: impl FnMut(usize, usize)) {
    let ((_, h, w, c), (_, _, columns, _)) = (dims, half(dims));
    for (i, row) in (1..h).step_by(2).enumerate() {
        for (j, column) in (1..w).step_by(2).enumerate() {
            work((row * w + column) * c, (i * columns + j) * c);
        }
    }
}
