//! Mean over height and width.

use crate::{
    OpError,
    cpu::{activation::CpuActivation, buffer::Buffer},
    shape::not_empty,
    tape::Recorder,
};
use dfdx::tensor::Cpu;
use rayon::prelude::*;

/// As [`crate::reference::global_avg_pool`].
pub fn global_avg_pool(x: &CpuActivation, tape: &mut dyn Recorder<Cpu>) -> Result<CpuActivation, OpError> {
    let (n, h, w, c) = not_empty("global_avg_pool", x.dims())?;
    let mut means = Buffer::zeroed(n * c);
    let share = 1.0 / (h * w) as f32;
    means.par_chunks_mut(c).zip(x.normalised().par_chunks(h * w * c)).for_each(|(mean, image)| {
        image.chunks_exact(c).for_each(|pixel| mean.iter_mut().zip(pixel).for_each(|(mean, x)| *mean += x));
        mean.iter_mut().for_each(|mean| *mean *= share);
    });
    let y = CpuActivation::new((n, 1, 1, c), means);
    if tape.is_recording() {
        let (input, output) = (x.gradient(), y.gradient());
        tape.record(Box::new(move |_| {
            let Some(dy) = output.take() else { return Ok(()) };
            input.accumulate(n * h * w * c, |dx, overwrite| {
                dx.par_chunks_mut(h * w * c).zip(dy.par_chunks(c)).for_each(|(image, dy)| {
                    for pixel in image.chunks_exact_mut(c) {
                        let pairs = pixel.iter_mut().zip(dy);
                        pairs.for_each(|(dx, dy)| *dx = dy * share + if overwrite { 0.0 } else { *dx });
                    }
                });
            });
            Ok(())
        }));
    }
    Ok(y)
}
