//! Sums and concatenations.

use super::{
    buffer::{Buffer, allocate, consume, into_tensor},
    contiguous,
    norm::add,
};
use crate::{
    OpError, Tensor4,
    shape::{check_parts, check_terms},
};
use dfdx::{
    shapes::HasShape,
    tensor::{Cpu, Tape},
};
use rayon::prelude::*;

/// Numbers, or pixels, that one task works on.
const CHUNK: usize = 64 * 1024;
const PIXELS: usize = 4 * 1024;

/// As [`crate::reference::sum`].
pub fn sum<T: Tape<f32, Cpu>>(terms: &[&Tensor4<Cpu>], tape: &mut T) -> Result<Tensor4<Cpu>, OpError> {
    let op = "sum";
    let (first, others) = check_terms(terms)?;
    let dims = *first.shape();
    let first = contiguous(op, first, tape)?;
    if others.is_empty() {
        return Ok(first);
    }
    let others = others.into_iter().map(|other| contiguous(op, other, tape)).collect::<Result<Vec<_>, _>>()?;
    let device = first.device().clone();
    let mut total = allocate(op, &device, dims)?;
    first.copy_into(&mut total);
    for other in &others {
        let other = Buffer::read(other);
        total.par_chunks_mut(CHUNK).zip(other.par_chunks(CHUNK)).for_each(|(total, other)| add(total, other));
    }
    let y = into_tensor(op, &device, total, dims)?;
    if T::OWNS_TAPE {
        let output = y.ghost();
        let inputs = std::iter::once(&first).chain(&others).map(|term| term.ghost()).collect::<Vec<_>>();
        tape.add_backward_op(move |grads| {
            let dy = consume(&device, grads.get_or_alloc_mut(&output)?)?;
            for input in &inputs {
                let dx = grads.get_or_alloc_mut(input)?;
                dx.par_chunks_mut(CHUNK).zip(dy.par_chunks(CHUNK)).for_each(|(dx, dy)| add(dx, dy));
            }
            Ok(())
        });
    }
    Ok(y)
}

/// As [`crate::reference::concat`].
pub fn concat<T: Tape<f32, Cpu>>(parts: &[&Tensor4<Cpu>], tape: &mut T) -> Result<Tensor4<Cpu>, OpError> {
    let op = "concat";
    let dims = check_parts(parts)?;
    let parts = parts.iter().map(|part| contiguous(op, part, tape)).collect::<Result<Vec<_>, _>>()?;
    if let [only] = &parts[..] {
        return Ok(only.clone());
    }
    let (device, channels) = (parts[0].device().clone(), dims.3);
    let mut whole = allocate(op, &device, dims)?;
    let mut first = 0;
    for part in &parts {
        let (count, part) = (part.shape().3, Buffer::read(part));
        let tasks = whole.par_chunks_mut(PIXELS * channels).zip(part.par_chunks(PIXELS * count));
        tasks.for_each(|(whole, part)| {
            for (whole, part) in whole.chunks_exact_mut(channels).zip(part.chunks_exact(count)) {
                whole[first..first + count].copy_from_slice(part);
            }
        });
        first += count;
    }
    let y = into_tensor(op, &device, whole, dims)?;
    if T::OWNS_TAPE {
        let output = y.ghost();
        let inputs = parts.iter().map(|part| (part.shape().3, part.ghost())).collect::<Vec<_>>();
        tape.add_backward_op(move |grads| {
            let dy = consume(&device, grads.get_or_alloc_mut(&output)?)?;
            let mut first = 0;
            for (count, input) in &inputs {
                let dx = grads.get_or_alloc_mut(input)?;
                let tasks = dx.par_chunks_mut(PIXELS * count).zip(dy.par_chunks(PIXELS * channels));
                tasks.for_each(|(dx, dy)| {
                    for (dx, dy) in dx.chunks_exact_mut(*count).zip(dy.chunks_exact(channels)) {
                        add(dx, &dy[first..first + count]);
                    }
                });
                first += count;
            }
            Ok(())
        });
    }
    Ok(y)
}
