//! ReLU, convolution and batch normalisation in one operation.
//!
//! The normalisation is left to whoever reads the result. For the backward pass only the numbers that came in and the
//! convolution's output are kept; the result itself, and the input after normalisation and ReLU, never are in memory.

use super::{
    buffer::Buffer,
    contiguous,
    conv::Conv,
    expansion,
    image::Image,
    norm::{Norm, Spread},
    simd::dispatch,
};
use crate::{
    Moments, NormArgs, OpError, Tensor4, UnitSpec,
    shape::{ConvShape, check_norm, elements},
};
use dfdx::{
    shapes::HasShape,
    tensor::{Cpu, Tape},
};
use std::sync::Arc;

/// As [`crate::reference::unit`].
pub fn unit<T: Tape<f32, Cpu>>(
    x: &Image,
    weight: &Tensor4<Cpu>,
    spec: UnitSpec,
    norm: NormArgs<'_, Cpu>,
    tape: &mut T,
) -> Result<(Image, Moments<Cpu>), OpError> {
    let op = "unit";
    let conv = Conv::new(ConvShape::new(op, x.dims, *weight.shape(), spec.conv)?, spec.relu);
    let dims = conv.output();
    check_norm(op, dims.3, &norm)?;
    if expansion::suits(&conv, norm.fixed.is_some(), T::OWNS_TAPE) {
        return expansion::unit(x, weight, conv, norm, tape);
    }
    let weight = contiguous(op, weight, tape)?;
    let mut z = Buffer::stale(elements(dims));
    let wanted = norm.fixed.is_none();
    let groups = conv.forward(x, &Buffer::read(&weight), &mut z, |z| {
        if wanted { dispatch(Spread { z, channels: dims.3 }) } else { vec![] }
    });
    let (norm, affine) = Norm::new(op, norm, tape, dims, || groups)?;
    let z = Arc::new(z);
    let y = Image::pending(dims, z.clone(), norm.pending());
    let moments = norm.moments(op)?;
    if T::OWNS_TAPE {
        let (x, output) = (x.clone(), y.slot());
        tape.add_backward_op(move |grads| {
            let Some(dy) = output.take() else { return Ok(()) };
            let numbers = Buffer::read(&weight);
            let vectors = conv.backward_normalised(&x, &numbers, (&norm, &z), &dy, grads.get_or_alloc_mut(&weight)?);
            vectors.add_to(grads, affine.as_ref())
        });
    }
    Ok((y, moments))
}
