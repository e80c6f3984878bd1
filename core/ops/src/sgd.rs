//! Arguments of stochastic gradient descent.

use crate::{Device, OpError, Tensor4, shape::check_like};
use dfdx::shapes::HasShape;

/// Hyper-parameters of one step of SGD, as PyTorch defines it.
///
/// With `c = min(1, clip / (|g| + 1e-6))`, where `|g|` is the 2-norm of the gradients of all parameters together, and
/// `d = c g + decay w`: the velocity is `v' = momentum v + d`, and `update = -lr v'`. With Nesterov momentum,
/// `update = -lr (d + momentum v')`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdSpec {
    /// Learning rate.
    pub lr: f64,
    /// Factor of the previous velocity, 0 to 1.
    pub momentum: f64,
    /// Whether momentum is Nesterov's.
    pub nesterov: bool,
    /// Factor of the L2 penalty (weight decay).
    pub weight_decay: f64,
    /// Largest 2-norm of all gradients together; larger gradients are scaled down to it.
    pub clip: f64,
}

impl SgdSpec {
    /// The factor `c` for gradients of this norm. The constant 1e-6 is that of PyTorch's `clip_grad_norm_`.
    pub(crate) fn clipping(&self, norm: f64) -> f32 {
        (self.clip / (norm + 1e-6)).min(1.0) as f32
    }
}

/// One parameter of a step of SGD. Symbols as in [`SgdSpec`].
#[derive(Debug)]
pub struct SgdParam<'a, D: Device> {
    /// `w`; unchanged by the step.
    pub weight: &'a Tensor4<D>,
    /// `g`, before clipping.
    pub gradient: &'a Tensor4<D>,
    /// `v` of the previous step, replaced by `v'`; `None` stands for zeros. A GPU writes `v'` into the memory of `v`,
    /// also for other tensors that share it.
    pub velocity: Option<Tensor4<D>>,
    /// Receives the update, to be added to the weight.
    pub update: &'a mut Option<Tensor4<D>>,
}

impl<D: Device> SgdParam<'_, D> {
    /// Checks that gradient and velocity have the shape of the weight.
    pub(crate) fn check(&self) -> Result<(), OpError> {
        let others = std::iter::once(self.gradient).chain(&self.velocity);
        others.into_iter().try_for_each(|other| check_like(*self.weight.shape(), *other.shape()))
    }
}

/// Checks that both tensors of each pair have the same shape.
pub(crate) fn check_pairs<D: Device>(pairs: &[(&mut Tensor4<D>, &Tensor4<D>)]) -> Result<(), OpError> {
    pairs.iter().try_for_each(|(x, y)| check_like(*x.shape(), *y.shape()))
}
