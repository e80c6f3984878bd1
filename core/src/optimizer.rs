//! Stochastic gradient descent over the active parameters of a step.

use crate::strategy::ParamStep;
use dfdx::prelude::{TryAdd, TryMul};
use nas_ops::{Backend, OpError, Tensor4};
use serde::{Deserialize, Serialize};

/// How the learning rate moves over a run of `n` steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Always `lr`.
    Constant,
    /// From `lr` to `lr_min` on half a cosine: `lr_min + (lr - lr_min) (1 + cos(pi t / n)) / 2`.
    Cosine,
}

impl Schedule {
    /// The learning rate of step `step` of `total`.
    pub fn lr(self, lr: f64, lr_min: f64, step: u64, total: u64) -> f64 {
        match self {
            Self::Constant => lr,
            Self::Cosine => {
                let t = step as f64 / total.max(1) as f64;
                lr_min + 0.5 * (lr - lr_min) * (1.0 + (std::f64::consts::PI * t).cos())
            }
        }
    }
}

/// SGD as PyTorch defines it: `g = clip(gradient) + decay w`, `v = momentum v + g`, `update = -lr v`, or with Nesterov
/// `update = -lr (g + momentum v)`.
///
/// A parameter that a step does not touch keeps its momentum buffer unchanged until it is touched again: the buffer
/// averages the parameter's own last gradients, however long ago they were, and an inactive parameter costs nothing.
#[derive(Debug)]
pub struct Sgd<D: Backend> {
    /// Factor of the old buffer.
    pub momentum: f64,
    /// Whether to look ahead.
    pub nesterov: bool,
    /// L2 penalty on weights of convolutions and linear layers, biases and affine parameters included.
    pub decay: f64,
    /// Largest 2-norm of all gradients of a step together.
    pub clip: f64,
    buffers: Vec<Option<Tensor4<D>>>,
}

impl<D: Backend> Sgd<D> {
    /// An optimizer for `slots` parameters with empty buffers.
    pub fn new(momentum: f64, nesterov: bool, decay: f64, clip: f64, slots: usize) -> Self {
        Self { momentum, nesterov, decay, clip, buffers: vec![None; slots] }
    }

    /// Turns gradients into updates, `slot` telling the buffer of each parameter. Returns the norm of the gradients
    /// before clipping; where that is not finite, there are no updates.
    ///
    /// # Errors
    /// A failing device.
    pub fn prepare(
        &mut self,
        params: &mut [ParamStep<D>],
        lr: f64,
        slot: impl Fn(&ParamStep<D>) -> usize,
    ) -> Result<f64, OpError> {
        let norm = params.iter().map(|p| sum_of_squares(&p.gradient)).sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Ok(norm);
        }
        // PyTorch's clip_grad_norm_ adds 1e-6 as well.
        let factor = (self.clip / (norm + 1e-6)).min(1.0);
        for param in params {
            let gradient = axpby(&param.gradient, factor, Some((&param.weight, self.decay)))?;
            let buffer = &mut self.buffers[slot(param)];
            let velocity = axpby(&gradient, 1.0, buffer.as_ref().map(|v| (v, self.momentum)))?;
            let direction =
                if self.nesterov { axpby(&gradient, 1.0, Some((&velocity, self.momentum)))? } else { velocity.clone() };
            param.update = Some(axpby(&direction, -lr, None)?);
            *buffer = Some(velocity);
        }
        Ok(norm)
    }
}

/// `a x + b y`.
fn axpby<D: Backend>(x: &Tensor4<D>, a: f64, y: Option<(&Tensor4<D>, f64)>) -> Result<Tensor4<D>, OpError> {
    let failed = OpError::device("optimizer");
    let scaled = |t: &Tensor4<D>, factor: f64| match factor {
        1.0 => Ok(t.clone()),
        _ => t.clone().try_mul(factor as f32).map_err(OpError::device("optimizer")),
    };
    match y {
        Some((y, b)) if b != 0.0 => scaled(x, a)?.try_add(scaled(y, b)?).map_err(failed),
        _ => scaled(x, a),
    }
}

/// The sum of squared elements, in `f64` and in order, so that it does not depend on threads.
pub fn sum_of_squares<D: Backend>(x: &Tensor4<D>) -> f64 {
    D::to_host(x).iter().map(|v| f64::from(*v) * f64::from(*v)).sum()
}
