//! Cross-entropy of class scores, with its gradient.

use crate::registry::Target;
use dfdx::prelude::{HasErr, HasShape, MeanTo, NoneTape, OwnedTape, PutTape, ReshapeTo, Tape, Tensor, TryMul};
use dfdx::shapes::Axis;
use nas_ops::{OpError, Tensor4};

/// A matrix `[n, classes]`.
pub type Matrix<D, T = NoneTape> = Tensor<(usize, usize), f32, D, T>;

/// A loss with the tape of its forward pass, ready for the backward pass.
pub type Loss<D> = Tensor<(), f32, D, OwnedTape<f32, D>>;

/// Mean cross-entropy of scores `[n, 1, 1, classes]`: with its tape, and as a number in nats.
///
/// # Errors
/// A failing device.
pub fn loss<D: Target>(
    scores: Tensor4<D>,
    tape: OwnedTape<f32, D>,
    targets: Matrix<D>,
) -> Result<(Loss<D>, f64), OpError> {
    let shape = *targets.shape();
    let scores = scores.put_tape(tape).try_reshape_like(&shape);
    let loss = scores.and_then(|scores| cross_entropy(scores, targets)).map_err(OpError::device("loss"))?;
    let value = f64::from(loss.as_vec()[0]);
    Ok((loss, value))
}

/// `-mean over n of sum over classes of targets * log_softmax(scores)`.
fn cross_entropy<D: Target, T: Tape<f32, D>>(
    scores: Matrix<D, T>,
    targets: Matrix<D>,
) -> Result<Tensor<(), f32, D, T>, <D as HasErr>::Err> {
    let classes = targets.shape().1 as f32;
    scores.try_log_softmax::<Axis<1>>()?.try_mul(targets)?.try_mean()?.try_mul(-classes)
}

/// Labels as probabilities `[n, classes]`: 1 at the label, 0 elsewhere.
///
/// # Errors
/// A failing device.
pub fn one_hot<D: Target>(device: &D, labels: &[usize], classes: usize) -> Result<Matrix<D>, OpError> {
    let mut values = vec![0.0; labels.len() * classes];
    for (row, label) in values.chunks_mut(classes).zip(labels) {
        row[*label] = 1.0;
    }
    device.try_tensor_from_vec(values, (labels.len(), classes)).map_err(OpError::device("labels"))
}
