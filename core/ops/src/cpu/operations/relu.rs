//! Rectified linear units.

use crate::{
    OpError,
    cpu::{
        activation::CpuActivation,
        buffer::Buffer,
        image_group::group_len,
        simd::{Isa, Kernel, Lanes, dispatch, each_block},
    },
    shape::{elements, not_empty},
    tape::Recorder,
};
use dfdx::tensor::Cpu;
use rayon::prelude::*;

/// As [`crate::reference::relu`].
pub fn relu(x: &CpuActivation, tape: &mut dyn Recorder<Cpu>) -> Result<CpuActivation, OpError> {
    limited("relu", x, None, tape)
}

/// As [`crate::reference::relu6`].
pub fn relu6(x: &CpuActivation, tape: &mut dyn Recorder<Cpu>) -> Result<CpuActivation, OpError> {
    limited("relu6", x, Some(6.0), tape)
}

/// The ReLU with an upper limit, if there is one.
fn limited(
    op: &'static str,
    x: &CpuActivation,
    limit: Option<f32>,
    tape: &mut dyn Recorder<Cpu>,
) -> Result<CpuActivation, OpError> {
    let dims = not_empty(op, x.dims())?;
    let size = group_len(dims);
    let mut values = Buffer::uninitialised(elements(dims));
    x.source().write(dims, &mut values, true);
    if let Some(limit) = limit {
        // A comparison with a NaN is false, so a NaN stays.
        values.par_chunks_mut(size).for_each(|values| {
            values.iter_mut().filter(|value| **value > limit).for_each(|value| *value = limit);
        });
    }
    let y = CpuActivation::new(dims, values);
    if tape.is_recording() {
        let (output, input) = (y.clone(), x.gradient());
        tape.record(Box::new(move |_| {
            let Some(dy) = output.gradient().take() else { return Ok(()) };
            input.accumulate(dy.len(), |dx, overwrite| {
                let chunks = dx.par_chunks_mut(size).zip(dy.par_chunks(size));
                let chunks = chunks.zip(output.normalised().par_chunks(size));
                chunks.for_each(|((dx, dy), y)| dispatch(AddReluGradient { dx, dy, y, limit, overwrite }));
            });
            Ok(())
        }));
    }
    Ok(y)
}

/// Adds `dy` to `dx` (or fills `dx` if `overwrite`) where the output is positive and below the limit, or NaN; the
/// gradient is 0 elsewhere.
struct AddReluGradient<'a> {
    dx: &'a mut [f32],
    dy: &'a [f32],
    y: &'a [f32],
    limit: Option<f32>,
    overwrite: bool,
}

impl Kernel for AddReluGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        each_block!(I, self.dx.len(), |N, first, count| {
            let load = |v: &[f32]| Lanes::<N>::load_some(v, first, count);
            let passed = load(self.dy).zip(load(self.y), |dy, y| if y <= 0.0 { 0.0 } else { dy });
            let passed = match self.limit {
                Some(limit) => passed.zip(load(self.y), |dy, y| if y >= limit { 0.0 } else { dy }),
                None => passed,
            };
            let old = if self.overwrite { Lanes::ZERO } else { load(self.dx) };
            old.plus(passed).store_some(self.dx, first, count);
        });
    }
}
