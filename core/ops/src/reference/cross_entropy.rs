//! Cross-entropy.

use super::taped;
use crate::{Device, Matrix, OpError, Tensor4, shape::check_targets};
use dfdx::prelude::*;

/// `-mean over n of sum over classes of targets * log_softmax(scores)` for scores `[n, 1, 1, classes]` and targets
/// `[n, classes]`, in nats. PyTorch: `cross_entropy` with probabilities as targets.
///
/// # Errors
/// Shapes that do not match, no score, or a device failure.
pub fn cross_entropy<D: Device, T: Tape<f32, D>>(
    scores: &Tensor4<D>,
    targets: &Matrix<D>,
    tape: &mut T,
) -> Result<Tensor<(), f32, D>, OpError> {
    let shape = check_targets(*scores.shape(), *targets.shape())?;
    taped("cross_entropy", scores, tape, |scores| {
        let scores = scores.try_reshape_like(&shape)?;
        let terms = scores.try_log_softmax::<Axis<1>>()?.try_mul(targets.clone())?;
        terms.try_mean()?.try_mul(-(shape.1 as f32))
    })
}
