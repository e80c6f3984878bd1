//! Mean over height and width.

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

/// As [`crate::reference::global_avg_pool`].
pub fn global_avg_pool<T: Tape<f32, Cpu>>(x: &Tensor4<Cpu>, tape: &mut T) -> Result<Tensor4<Cpu>, OpError> {
    let op = "global_avg_pool";
    let (n, h, w, c) = not_empty(op, *x.shape())?;
    let x = contiguous(op, x, tape)?;
    let device = x.device().clone();
    let mut means = allocate(op, &device, (n, 1, 1, c))?;
    let values = Buffer::read(&x);
    let share = 1.0 / (h * w) as f32;
    means.par_chunks_mut(c).zip(values.par_chunks(h * w * c)).for_each(|(mean, image)| {
        image.chunks_exact(c).for_each(|pixel| mean.iter_mut().zip(pixel).for_each(|(mean, x)| *mean += x));
        mean.iter_mut().for_each(|mean| *mean *= share);
    });
    let y = into_tensor(op, &device, means, (n, 1, 1, c))?;
    if T::OWNS_TAPE {
        let (input, output) = (x.ghost(), y.ghost());
        tape.add_backward_op(move |grads| {
            let dy = consume(&device, grads.get_or_alloc_mut(&output)?)?;
            let dx = grads.get_or_alloc_mut(&input)?;
            dx.par_chunks_mut(h * w * c).zip(dy.par_chunks(c)).for_each(|(image, dy)| {
                for pixel in image.chunks_exact_mut(c) {
                    pixel.iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy * share);
                }
            });
            Ok(())
        });
    }
    Ok(y)
}
