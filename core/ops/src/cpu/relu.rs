//! Rectified linear unit.

use super::{
    buffer::{Buffer, allocate, consume, into_tensor},
    contiguous,
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
            chunks.for_each(|((dx, dy), y)| {
                for ((dx, dy), &y) in dx.iter_mut().zip(dy).zip(y) {
                    *dx += if y <= 0.0 { 0.0 } else { *dy };
                }
            });
            Ok(())
        });
    }
    Ok(y)
}
