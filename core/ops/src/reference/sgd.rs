//! Stochastic gradient descent.

use crate::{Device, OpError, SgdParam, SgdSpec, Tensor4, device::to_host, sgd::check_pairs};
use dfdx::prelude::{TryAdd, TryMul};

/// One step of [`SgdSpec`]. Returns the norm of the gradients before clipping. If the norm is not finite, there are no
/// updates.
///
/// # Errors
/// Shapes that differ within a parameter, or a device failure.
pub fn sgd<D: Device>(params: &mut [SgdParam<'_, D>], spec: SgdSpec) -> Result<f64, OpError> {
    params.iter().try_for_each(SgdParam::check)?;
    let norm = params.iter().map(|p| sum_of_squares(&to_host(p.gradient))).sum::<f64>().sqrt();
    if !norm.is_finite() {
        return Ok(norm);
    }
    let (clipping, decay, momentum) = (spec.clipping(norm), spec.weight_decay as f32, spec.momentum as f32);
    for param in params {
        let gradient = axpby(param.gradient, clipping, Some((param.weight, decay)))?;
        let velocity = axpby(&gradient, 1.0, param.velocity.as_ref().map(|v| (v, momentum)))?;
        let direction =
            if spec.nesterov { axpby(&gradient, 1.0, Some((&velocity, momentum)))? } else { velocity.clone() };
        *param.update = Some(axpby(&direction, -spec.lr as f32, None)?);
        param.velocity = Some(velocity);
    }
    Ok(norm)
}

/// Replaces each `x` by `x + y`.
///
/// # Errors
/// Shapes that differ within a pair (no `x` changes then), or a device failure.
pub fn add_to<D: Device>(pairs: &mut [(&mut Tensor4<D>, &Tensor4<D>)]) -> Result<(), OpError> {
    check_pairs(pairs)?;
    for (x, y) in pairs {
        **x = x.clone().try_add((*y).clone()).map_err(OpError::device("update"))?;
    }
    Ok(())
}

/// The sum of squares in `f64`, added in order, so that it does not depend on the number of threads.
pub fn sum_of_squares(values: &[f32]) -> f64 {
    values.iter().map(|v| f64::from(*v) * f64::from(*v)).sum()
}

/// `a x + b y`.
fn axpby<D: Device>(x: &Tensor4<D>, a: f32, y: Option<(&Tensor4<D>, f32)>) -> Result<Tensor4<D>, OpError> {
    let scaled = |t: &Tensor4<D>, factor: f32| match factor {
        1.0 => Ok(t.clone()),
        _ => t.clone().try_mul(factor).map_err(OpError::device("update")),
    };
    match y {
        Some((y, b)) if b != 0.0 => scaled(x, a)?.try_add(scaled(y, b)?).map_err(OpError::device("update")),
        _ => scaled(x, a),
    }
}
