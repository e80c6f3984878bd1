//! Cross-entropy of class scores, with its gradient.

use crate::registry::TrainingDevice;
use dfdx::prelude::{OwnedTape, PutTape, SplitTape, Tensor, TryAdd, TryMul};
use nas_ops::{Matrix, OpError, Tensor4};

/// A loss with the tape of its forward pass, ready for the backward pass.
pub type Loss<D> = Tensor<(), f32, D, OwnedTape<f32, D>>;

/// Mean cross-entropy of scores `[n, 1, 1, classes]`, with its tape, and as a number in nats. With the scores of an
/// auxiliary head and their weight `w`, the tape is that of `main + w auxiliary`; the number is the main loss.
///
/// # Errors
/// A failing device.
pub fn loss<D: TrainingDevice>(
    scores: Tensor4<D>,
    auxiliary: Option<(Tensor4<D>, f64)>,
    tape: OwnedTape<f32, D>,
    targets: &Matrix<D>,
) -> Result<(Loss<D>, f64), OpError> {
    let mut tape = tape;
    let failed = OpError::device("loss");
    let auxiliary = match auxiliary {
        Some((scores, weight)) => {
            let loss = D::cross_entropy(&scores, targets, &mut tape)?;
            let (weighted, filled) = loss.put_tape(tape).try_mul(weight as f32).map_err(&failed)?.split_tape();
            tape = filled;
            Some(weighted)
        }
        None => None,
    };
    let loss = D::cross_entropy(&scores, targets, &mut tape)?;
    let value = f64::from(loss.as_vec()[0]);
    let loss = loss.put_tape(tape);
    let loss = match auxiliary {
        Some(auxiliary) => loss.try_add(auxiliary).map_err(&failed)?,
        None => loss,
    };
    Ok((loss, value))
}

/// Labels as probabilities `[n, classes]` with a smoothing `s`: `1 - s + s / classes` at the label, `s / classes`
/// elsewhere (Szegedy et al., CVPR 2016).
///
/// # Errors
/// A failing device.
pub fn targets<D: TrainingDevice>(
    device: &D,
    labels: &[usize],
    classes: usize,
    smoothing: f64,
) -> Result<Matrix<D>, OpError> {
    let elsewhere = smoothing / classes as f64;
    let mut values = vec![elsewhere as f32; labels.len() * classes];
    for (row, label) in values.chunks_mut(classes).zip(labels) {
        row[*label] = (1.0 - smoothing + elsewhere) as f32;
    }
    device.try_tensor_from_vec(values, (labels.len(), classes)).map_err(OpError::device("labels"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trainer::test_support::{TestDevice, test_device};

    #[test]
    fn smoothing_spreads_a_share_over_all_classes() {
        let found = targets::<TestDevice>(&test_device(), &[1, 3], 4, 0.1).unwrap().as_vec();
        let expected = [0.025, 0.925, 0.025, 0.025, 0.025, 0.025, 0.025, 0.925];
        assert!(
            found.iter().zip(expected).all(|(found, expected): (&f32, f32)| (found - expected).abs() < 1e-6),
            "{found:?}"
        );
    }

    /// Scores of 0 have the cross-entropy `log 2`: the value is that of the main head, the gradient that of the
    /// weighted sum.
    #[test]
    fn the_auxiliary_loss_is_weighted() {
        use dfdx::prelude::{Backward, TensorFromVec};
        let device = test_device();
        let scores = |value: f32| -> Tensor4<TestDevice> { device.tensor_from_vec(vec![value, 0.0], (1, 1, 1, 2)) };
        let (main, head) = (scores(0.0), scores(0.0));
        let targets = targets::<TestDevice>(&device, &[0], 2, 0.0).unwrap();
        let (loss, value) = loss(main.clone(), Some((head.clone(), 0.4)), OwnedTape::default(), &targets).unwrap();
        assert!((value - 2.0_f64.ln()).abs() < 1e-6);
        let gradients = loss.backward();
        let [of_main, of_head] = [&main, &head].map(|scores| gradients.get(scores).as_vec()[0]);
        assert!((of_main + 0.5).abs() < 1e-6 && (of_head + 0.2).abs() < 1e-6, "{of_main} {of_head}");
    }
}
