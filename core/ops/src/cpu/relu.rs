//! Rectified linear unit.

use super::{
    buffer::Buffer,
    image::Image,
    norm::group,
    simd::{Isa, Kernel, Lanes, dispatch, each_block},
};
use crate::{
    OpError,
    shape::{elements, not_empty},
};
use dfdx::tensor::{Cpu, Tape};
use rayon::prelude::*;

/// `max(x, 0)`; a NaN stays a NaN.
#[inline(always)]
pub fn rectified(x: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { x }
}

/// As [`crate::reference::relu`].
pub fn relu<T: Tape<f32, Cpu>>(x: &Image, tape: &mut T) -> Result<Image, OpError> {
    let dims = not_empty("relu", x.dims)?;
    let size = group(dims);
    let mut values = Buffer::stale(elements(dims));
    x.source().write(dims, &mut values, true);
    let y = Image::new(dims, values);
    if T::OWNS_TAPE {
        let (kept, input) = (y.clone(), x.slot());
        tape.add_backward_op(move |_| {
            let Some(dy) = kept.slot().take() else { return Ok(()) };
            input.add(dy.len(), |dx, fresh| {
                let chunks = dx.par_chunks_mut(size).zip(dy.par_chunks(size)).zip(kept.plain().par_chunks(size));
                chunks.for_each(|((dx, dy), y)| dispatch(Passed { dx, dy, y, fresh }));
            });
            Ok(())
        });
    }
    Ok(y)
}

/// Adds `dy` to `dx` where the output was positive, or a NaN; or fills it.
struct Passed<'a> {
    dx: &'a mut [f32],
    dy: &'a [f32],
    y: &'a [f32],
    fresh: bool,
}

impl Kernel for Passed<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        each_block!(I, self.dx.len(), |N, first, count| {
            let load = |v: &[f32]| Lanes::<N>::load_some(v, first, count);
            let passed = load(self.dy).zip(load(self.y), |dy, y| if y <= 0.0 { 0.0 } else { dy });
            let old = if self.fresh { Lanes::ZERO } else { load(self.dx) };
            old.plus(passed).store_some(self.dx, first, count);
        });
    }
}
