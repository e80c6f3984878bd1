//! Rectified linear unit.

use crate::{
    OpError,
    cpu::{
        activation::CpuActivation,
        buffer::Buffer,
        image_group::group_len,
        simd::{Isa, Kernel, Lanes, dispatch, each_block},
        tape::Recorder,
    },
    shape::{elements, not_empty},
};
use rayon::prelude::*;

/// As [`crate::reference::relu`].
pub fn relu(x: &CpuActivation, tape: &mut dyn Recorder) -> Result<CpuActivation, OpError> {
    let dims = not_empty("relu", x.dims())?;
    let size = group_len(dims);
    let mut values = Buffer::uninitialised(elements(dims));
    x.source().write(dims, &mut values, true);
    let y = CpuActivation::new(dims, values);
    if tape.is_recording() {
        let (output, input) = (y.clone(), x.gradient());
        tape.record(Box::new(move |_| {
            let Some(dy) = output.gradient().take() else { return Ok(()) };
            input.accumulate(dy.len(), |dx, overwrite| {
                let chunks = dx.par_chunks_mut(size).zip(dy.par_chunks(size));
                let chunks = chunks.zip(output.normalised().par_chunks(size));
                chunks.for_each(|((dx, dy), y)| dispatch(AddReluGradient { dx, dy, y, overwrite }));
            });
            Ok(())
        }));
    }
    Ok(y)
}

/// Adds `dy` to `dx` (or fills `dx` if `overwrite`) where the output is positive or NaN; the gradient is 0 elsewhere.
struct AddReluGradient<'a> {
    dx: &'a mut [f32],
    dy: &'a [f32],
    y: &'a [f32],
    overwrite: bool,
}

impl Kernel for AddReluGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        each_block!(I, self.dx.len(), |N, first, count| {
            let load = |v: &[f32]| Lanes::<N>::load_some(v, first, count);
            let passed = load(self.dy).zip(load(self.y), |dy, y| if y <= 0.0 { 0.0 } else { dy });
            let old = if self.overwrite { Lanes::ZERO } else { load(self.dx) };
            old.plus(passed).store_some(self.dx, first, count);
        });
    }
}
