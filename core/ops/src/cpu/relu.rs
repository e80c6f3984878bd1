//! Rectified linear unit.

use super::{
    buffer::{Buffer, allocate, consume, into_tensor},
    contiguous,
    simd::{Kernel, Lanes, blocks, dispatch},
};
use crate::{OpError, Tensor4, shape::not_empty};
use dfdx::{
    shapes::HasShape,
    tensor::{Cpu, Tape},
};
use rayon::prelude::*;

/// Numbers that one task works on.
const CHUNK: usize = 64 * 1024;

/// `max(x, 0)`; a NaN stays a NaN.
#[inline(always)]
pub fn rectified(x: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { x }
}

/// As [`crate::reference::relu`].
pub fn relu<T: Tape<f32, Cpu>>(x: &Tensor4<Cpu>, tape: &mut T) -> Result<Tensor4<Cpu>, OpError> {
    let op = "relu";
    let dims = not_empty(op, *x.shape())?;
    let x = contiguous(op, x, tape)?;
    let device = x.device().clone();
    let mut values = allocate(op, &device, dims)?;
    x.copy_into(&mut values);
    values.par_chunks_mut(CHUNK).for_each(|chunk| chunk.iter_mut().for_each(|v| *v = rectified(*v)));
    let y = into_tensor(op, &device, values, dims)?;
    if T::OWNS_TAPE {
        let (kept, input) = (y.clone(), x.ghost());
        tape.add_backward_op(move |grads| {
            let y = Buffer::read(&kept);
            let dy = consume(&device, grads.get_or_alloc_mut(&kept)?)?;
            let dx = grads.get_or_alloc_mut(&input)?;
            let chunks = dx.par_chunks_mut(CHUNK).zip(dy.par_chunks(CHUNK)).zip(y.par_chunks(CHUNK));
            chunks.for_each(|((dx, dy), y)| dispatch(Passed { dx, dy, y }));
            Ok(())
        });
    }
    Ok(y)
}

/// Adds `dy` to `dx` where the output was positive, or a NaN.
struct Passed<'a> {
    dx: &'a mut [f32],
    dy: &'a [f32],
    y: &'a [f32],
}

impl Kernel for Passed<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (first, count) in blocks(self.dx.len()) {
            let load = |v: &[f32]| Lanes::load_some(v, first, count);
            let passed = load(self.dy).zip(load(self.y), |dy, y| if y <= 0.0 { 0.0 } else { dy });
            load(self.dx).plus(passed).store_some(self.dx, first, count);
        }
    }
}
