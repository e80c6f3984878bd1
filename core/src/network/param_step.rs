//! A parameter that takes part in a training step.

use super::{LayerId, ParamId, Role};
use nas_ops::{Backend, Tensor4};

/// One parameter that a training step updates: its weight, gradient and update.
///
/// A step lists the *active* parameters, those of the layers that its paths run through.
#[derive(Debug)]
pub struct ParamStep<D: Backend> {
    /// Index of the parameter in [`NetworkSpec::params`](super::NetworkSpec::params).
    pub param: ParamId,
    /// Weight set that holds the parameter; 0 where the strategy binds no other.
    pub set: usize,
    /// Layer to which the parameter belongs.
    pub layer: LayerId,
    /// Role of the parameter in its layer.
    pub role: Role,
    /// Value of the parameter: the one before the update until the update is applied, the new one afterwards.
    pub weight: Tensor4<D>,
    /// Gradient of the weighted loss, summed over all paths of the step.
    pub gradient: Tensor4<D>,
    /// Summand that the optimizer adds to the weight, `-lr v` with momentum and decay included. `None` until the
    /// optimizer has computed it.
    pub update: Option<Tensor4<D>>,
}
