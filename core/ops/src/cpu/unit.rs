//! ReLU, convolution and batch normalisation in one operation, which keeps the input and the convolution's output.

use super::{
    buffer::{Buffer, consume, into_tensor},
    contiguous,
    conv::{Conv, Upstream},
    norm::{Norm, Sums, add},
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

/// As [`crate::reference::unit`].
pub fn unit<T: Tape<f32, Cpu>>(
    x: &Tensor4<Cpu>,
    weight: &Tensor4<Cpu>,
    spec: UnitSpec,
    norm: NormArgs<'_, Cpu>,
    tape: &mut T,
) -> Result<(Tensor4<Cpu>, Moments<Cpu>), OpError> {
    let op = "unit";
    let conv = Conv::new(ConvShape::new(op, *x.shape(), *weight.shape(), spec.conv)?, spec.relu);
    let dims = conv.output();
    check_norm(op, dims.3, &norm)?;
    let (x, weight) = (contiguous(op, x, tape)?, contiguous(op, weight, tape)?);
    let device = x.device().clone();
    let mut z = Buffer::stale(elements(dims));
    let wanted = norm.fixed.is_none();
    let sums = conv.forward(&Buffer::read(&x), &Buffer::read(&weight), &mut z, |z| {
        if wanted { dispatch(Sums { a: z, b: z, shift: None, channels: dims.3 }) } else { vec![] }
    });
    let (norm, affine) = Norm::new(op, norm, tape, (elements(dims) / dims.3, dims.3), || sums)?;
    let y = into_tensor(op, &device, norm.apply(op, &device, &z, dims)?, dims)?;
    let moments = norm.moments(op, &device)?;
    if T::OWNS_TAPE {
        let output = y.ghost();
        tape.add_backward_op(move |grads| {
            let dy = consume(&device, grads.get_or_alloc_mut(&output)?)?;
            let (terms, vectors) = norm.backward(&dy, &z, dims);
            if let Some((scale, shift)) = affine {
                add(grads.get_or_alloc_mut(&scale)?, &vectors.scale);
                add(grads.get_or_alloc_mut(&shift)?, &vectors.shift);
            }
            let (values, weights) = (Buffer::read(&x), Buffer::read(&weight));
            let upstream = Upstream { dy: &dy, norm: Some((&z, &terms)) };
            let slots = conv.backward(&values, &weights, upstream, grads.get_or_alloc_mut(&x)?);
            conv.add_weight_gradient(&slots, grads.get_or_alloc_mut(&weight)?);
            Ok(())
        });
    }
    Ok((y, moments))
}
