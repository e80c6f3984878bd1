//! Stochastic gradient descent as data.

use crate::{Backend, OpError, Tensor4, shape::check_like};
use dfdx::shapes::HasShape;

/// One step of SGD as PyTorch defines it. With `c = min(1, clip / (|g| + 1e-6))`, where `|g|` is the 2-norm of the gradients
/// of all parameters together, and `d = c g + decay w`:
/// `v' = momentum v + d` and `update = -lr v'`, or with Nesterov `update = -lr (d + momentum v')`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdSpec {
    /// Learning rate.
    pub lr: f64,
    /// Factor of the old velocity.
    pub momentum: f64,
    /// Whether to look ahead.
    pub nesterov: bool,
    /// L2 penalty.
    pub decay: f64,
    /// Largest 2-norm of all gradients together.
    pub clip: f64,
}

impl SgdSpec {
    /// The factor `c` of gradients whose norm is `norm`; the 1e-6 is that of PyTorch's `clip_grad_norm_`.
    pub(crate) fn clipping(&self, norm: f64) -> f32 {
        (self.clip / (norm + 1e-6)).min(1.0) as f32
    }
}

/// A parameter in a step of SGD.
#[derive(Debug)]
pub struct SgdParam<'a, D: Backend> {
    /// `w`.
    pub weight: &'a Tensor4<D>,
    /// `g`.
    pub gradient: &'a Tensor4<D>,
    /// `v` as an earlier step left it, replaced by `v'`; none stands for zeros.
    pub velocity: Option<Tensor4<D>>,
    /// Where the update goes.
    pub update: &'a mut Option<Tensor4<D>>,
}

impl<D: Backend> SgdParam<'_, D> {
    /// Checks that gradient and velocity have the shape of the weight.
    pub(crate) fn check(&self) -> Result<(), OpError> {
        let others = std::iter::once(self.gradient).chain(&self.velocity);
        others.into_iter().try_for_each(|other| check_like(*self.weight.shape(), *other.shape()))
    }
}

/// Checks that all terms that are added to others have the shapes of those.
pub(crate) fn check_pairs<D: Backend>(pairs: &[(&mut Tensor4<D>, &Tensor4<D>)]) -> Result<(), OpError> {
    pairs.iter().try_for_each(|(x, y)| check_like(*x.shape(), *y.shape()))
}
