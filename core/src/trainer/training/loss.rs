//! Cross-entropy of class scores, with its gradient.

use crate::registry::Target;
use dfdx::prelude::{
    HasErr, HasShape, MeanTo, NoneTape, OwnedTape, PutTape, ReshapeTo, SplitTape, Tape, Tensor, TryAdd, TryMul,
};
use dfdx::shapes::Axis;
use nas_ops::{OpError, Tensor4};

/// A matrix `[n, classes]`.
pub type Matrix<D, T = NoneTape> = Tensor<(usize, usize), f32, D, T>;

/// A loss with the tape of its forward pass, ready for the backward pass.
pub type Loss<D> = Tensor<(), f32, D, OwnedTape<f32, D>>;

/// Mean cross-entropy of scores `[n, 1, 1, classes]`, with its tape, and as a number in nats. With the scores of an
/// auxiliary head and their weight `w`, the tape is that of `main + w auxiliary`; the number is the main loss.
///
/// # Errors
/// A failing device.
pub fn loss<D: Target>(
    scores: Tensor4<D>,
    auxiliary: Option<(Tensor4<D>, f64)>,
    tape: OwnedTape<f32, D>,
    targets: &Matrix<D>,
) -> Result<(Loss<D>, f64), OpError> {
    let shape = *targets.shape();
    let of = |scores: Tensor4<D>, tape| {
        let scores = scores.put_tape(tape).try_reshape_like(&shape)?;
        cross_entropy(scores, targets.clone())
    };
    let both = || match auxiliary {
        None => of(scores, tape).map(|loss| (loss.as_vec()[0], loss)),
        Some((auxiliary, weight)) => {
            let (auxiliary, tape) = of(auxiliary, tape)?.try_mul(weight as f32)?.split_tape();
            let loss = of(scores, tape)?;
            Ok((loss.as_vec()[0], loss.try_add(auxiliary)?))
        }
    };
    let (value, loss) = both().map_err(OpError::device("loss"))?;
    Ok((loss, f64::from(value)))
}

/// `-mean over n of sum over classes of targets * log_softmax(scores)`.
fn cross_entropy<D: Target, T: Tape<f32, D>>(
    scores: Matrix<D, T>,
    targets: Matrix<D>,
) -> Result<Tensor<(), f32, D, T>, <D as HasErr>::Err> {
    let classes = targets.shape().1 as f32;
    scores.try_log_softmax::<Axis<1>>()?.try_mul(targets)?.try_mean()?.try_mul(-classes)
}

/// Labels as probabilities `[n, classes]` with a smoothing `s`: `1 - s + s / classes` at the label, `s / classes`
/// elsewhere (Szegedy et al., CVPR 2016).
///
/// # Errors
/// A failing device.
pub fn targets<D: Target>(device: &D, labels: &[usize], classes: usize, smoothing: f64) -> Result<Matrix<D>, OpError> {
    let elsewhere = smoothing / classes as f64;
    let mut values = vec![elsewhere as f32; labels.len() * classes];
    for (row, label) in values.chunks_mut(classes).zip(labels) {
        row[*label] = (1.0 - smoothing + elsewhere) as f32;
    }
    device.try_tensor_from_vec(values, (labels.len(), classes)).map_err(OpError::device("labels"))
}
