//! Stochastic gradient descent without temporary tensors, on several parameters in parallel.
//!
//! Velocities and weights change in place. A step allocates only its updates, because strategies may keep them.

use super::{buffer::Buffer, elementwise::add_assign};
use crate::{OpError, SgdParam, SgdSpec, Tensor4, reference::sum_of_squares, sgd::check_pairs, tape::Recorder};
use dfdx::{
    shapes::HasShape,
    tensor::{Cpu, NoneTape, TensorFromVec},
};
use rayon::prelude::*;

/// As [`crate::reference::sgd`]. Where weights are finite, results are equal except for the sign of zeros.
pub fn sgd(params: &mut [SgdParam<'_, Cpu>], spec: SgdSpec) -> Result<f64, OpError> {
    params.iter().try_for_each(SgdParam::check)?;
    let squares = params.par_iter().map(|p| Ok(sum_of_squares(&read(p.gradient)?))).collect::<Result<Vec<_>, _>>()?;
    let norm = squares.iter().sum::<f64>().sqrt();
    if norm.is_finite() {
        let clipping = spec.clipping(norm);
        params.par_iter_mut().try_for_each(|param| step(param, clipping, spec))?;
    }
    Ok(norm)
}

/// Updates one parameter.
fn step(param: &mut SgdParam<'_, Cpu>, clipping: f32, spec: SgdSpec) -> Result<(), OpError> {
    let (weight, gradient) = (read(param.weight)?, read(param.gradient)?);
    let (lr, decay, momentum) = (spec.lr as f32, spec.weight_decay as f32, spec.momentum as f32);
    let mut velocity = param.velocity.as_ref().map_or_else(|| Buffer::zeroed(weight.len()), Buffer::read);
    let elements = velocity.iter_mut().zip(&*gradient).zip(&*weight);
    let update = elements.map(|((v, g), w)| {
        let direction = clipping * g + decay * w;
        *v = direction + momentum * *v;
        -lr * if spec.nesterov { direction + momentum * *v } else { *v }
    });
    *param.update = Some(tensor(update.collect(), param.weight)?);
    match &mut param.velocity {
        Some(old) => old.copy_from(&velocity),
        none => *none = Some(tensor(velocity.to_vec(), param.weight)?),
    }
    Ok(())
}

/// As [`crate::reference::add_to`], in the memory of each `x` unless another tensor shares it.
pub fn add_to(pairs: &mut [(&mut Tensor4<Cpu>, &Tensor4<Cpu>)]) -> Result<(), OpError> {
    check_pairs(pairs)?;
    pairs.par_iter_mut().try_for_each(|(x, y)| {
        **x = NoneTape.contiguous("update", x)?;
        let mut sum = Buffer::read(x);
        add_assign(&mut sum, &read(y)?);
        x.copy_from(&sum);
        Ok(())
    })
}

/// The elements in row-major order.
fn read(x: &Tensor4<Cpu>) -> Result<Buffer, OpError> {
    Ok(Buffer::read(&NoneTape.contiguous("update", x)?))
}

/// A tensor with the shape and device of `like`.
fn tensor(values: Vec<f32>, like: &Tensor4<Cpu>) -> Result<Tensor4<Cpu>, OpError> {
    like.device().try_tensor_from_vec(values, *like.shape()).map_err(OpError::device("update"))
}
