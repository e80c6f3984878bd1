//! Stochastic gradient descent: one pass over the numbers of a parameter, several parameters at once.
//!
//! Velocities and weights change where they are, so that a step asks for no memory but that of its updates, which
//! strategies may keep.

use super::{buffer::Buffer, norm::add};
use crate::{OpError, SgdParam, SgdSpec, Tensor4, reference::sum_of_squares, shape::check_like};
use dfdx::{
    shapes::HasShape,
    tensor::{Cpu, TensorFromVec},
};
use rayon::prelude::*;

/// As [`crate::reference::sgd`], with the same bits.
pub fn sgd(params: &mut [SgdParam<'_, Cpu>], spec: SgdSpec) -> Result<f64, OpError> {
    params.iter().try_for_each(SgdParam::check)?;
    let squares = params.par_iter().map(|p| sum_of_squares(&Buffer::read(p.gradient))).collect::<Vec<_>>();
    let norm = squares.iter().sum::<f64>().sqrt();
    if norm.is_finite() {
        let clipping = spec.clipping(norm);
        params.par_iter_mut().try_for_each(|param| step(param, clipping, spec))?;
    }
    Ok(norm)
}

fn step(param: &mut SgdParam<'_, Cpu>, clipping: f32, spec: SgdSpec) -> Result<(), OpError> {
    let (weight, gradient) = (Buffer::read(param.weight), Buffer::read(param.gradient));
    let (lr, decay, momentum) = (spec.lr as f32, spec.decay as f32, spec.momentum as f32);
    let mut velocity = param.velocity.as_ref().map_or_else(|| Buffer::zeroed(weight.len()), Buffer::read);
    let mut update = Vec::with_capacity(weight.len());
    for ((v, g), w) in velocity.iter_mut().zip(&*gradient).zip(&*weight) {
        let direction = clipping * g + decay * w;
        *v = direction + momentum * *v;
        update.push(-lr * if spec.nesterov { direction + momentum * *v } else { *v });
    }
    match &mut param.velocity {
        Some(old) => old.copy_from(&velocity),
        none => *none = Some(tensor(velocity.to_vec(), param.weight)?),
    }
    *param.update = Some(tensor(update, param.weight)?);
    Ok(())
}

/// As [`crate::reference::add_to`]; a sum takes the memory of its `x` where nobody else holds that.
pub fn add_to(pairs: &mut [(&mut Tensor4<Cpu>, &Tensor4<Cpu>)]) -> Result<(), OpError> {
    pairs.par_iter_mut().try_for_each(|(x, y)| {
        check_like("update", *x.shape(), *y.shape())?;
        let mut sum = Buffer::read(x);
        add(&mut sum, &Buffer::read(y));
        x.copy_from(&sum);
        Ok(())
    })
}

fn tensor(values: Vec<f32>, like: &Tensor4<Cpu>) -> Result<Tensor4<Cpu>, OpError> {
    Cpu::default().try_tensor_from_vec(values, *like.shape()).map_err(OpError::device("optimizer"))
}
