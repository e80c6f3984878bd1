//! Scaling of each image of a batch.

use crate::{
    OpError,
    cpu::{activation::CpuActivation, buffer::Buffer},
    shape::{elements, factor_for_each_image, not_empty},
    tape::Recorder,
};
use dfdx::tensor::Cpu;
use rayon::prelude::*;
use std::sync::Arc;

/// As [`crate::reference::scale_images`].
pub fn scale_images(
    x: &CpuActivation,
    factors: &[f32],
    tape: &mut dyn Recorder<Cpu>,
) -> Result<CpuActivation, OpError> {
    let dims = not_empty("scale_images", x.dims())?;
    factor_for_each_image(factors, dims)?;
    let (size, image) = (elements(dims), elements(dims) / dims.0);
    let factors: Arc<[f32]> = factors.into();
    let mut y = Buffer::uninitialised(size);
    let images = y.par_chunks_mut(image).zip(x.normalised().par_chunks(image)).zip(&*factors);
    images.for_each(|((y, x), factor)| y.iter_mut().zip(x).for_each(|(y, x)| *y = x * factor));
    let y = CpuActivation::new(dims, y);
    if tape.is_recording() {
        let (input, output) = (x.gradient(), y.gradient());
        tape.record(Box::new(move |_| {
            let Some(dy) = output.take() else { return Ok(()) };
            input.accumulate(size, |dx, overwrite| {
                let images = dx.par_chunks_mut(image).zip(dy.par_chunks(image)).zip(&*factors);
                images.for_each(|((dx, dy), factor)| {
                    let pairs = dx.iter_mut().zip(dy);
                    match overwrite {
                        true => pairs.for_each(|(dx, dy)| *dx = dy * factor),
                        false => pairs.for_each(|(dx, dy)| *dx += dy * factor),
                    }
                });
            });
            Ok(())
        }));
    }
    Ok(y)
}
