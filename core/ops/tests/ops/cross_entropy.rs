//! Cross-entropy, compared with its closed form, and what devices copy and sum at once.

use crate::problem::{TestDevice, assert_close, on_every_device};
use dfdx::prelude::*;
use nas_ops::{OpError, Tensor4};

/// Scores of three images and two classes, and targets: a label, a smoothed label, and probabilities that add to 2.
const SCORES: [f32; 6] = [1.0, -2.0, 80.0, -80.0, 0.25, 0.5];
const TARGETS: [f32; 6] = [0.0, 1.0, 0.95, 0.05, 0.5, 1.5];

/// `-sum(t log p) / n` and its gradient `(p sum(t) - t) / n`, in double precision.
fn closed_form() -> (f64, Vec<f32>) {
    let (mut loss, mut gradient) = (0.0, Vec::new());
    for (scores, targets) in SCORES.chunks(2).zip(TARGETS.chunks(2)) {
        let most = f64::from(scores[0].max(scores[1]));
        let normaliser = most + scores.iter().map(|s| (f64::from(*s) - most).exp()).sum::<f64>().ln();
        let total: f64 = targets.iter().map(|t| f64::from(*t)).sum();
        for (score, target) in scores.iter().zip(targets) {
            let log_probability = f64::from(*score) - normaliser;
            loss -= f64::from(*target) * log_probability / 3.0;
            gradient.push(((total * log_probability.exp() - f64::from(*target)) / 3.0) as f32);
        }
    }
    (loss, gradient)
}

fn tensor<D: TestDevice>(values: &[f32], dims: (usize, usize, usize, usize)) -> Tensor4<D> {
    D::shared().tensor_from_vec(values.to_vec(), dims)
}

fn equals_the_closed_form<D: TestDevice>() {
    let scores = tensor::<D>(&SCORES, (3, 1, 1, 2));
    let targets = D::shared().tensor_from_vec(TARGETS.to_vec(), (3, 2));
    let mut tape = OwnedTape::default();
    let loss = D::cross_entropy(&scores, &targets, &mut tape).unwrap();
    let (expected, gradient) = closed_form();
    assert_close("loss", &loss.as_vec(), &[expected as f32], 1e-6);
    let doubled = loss.put_tape(tape).try_mul(2.0).unwrap();
    let found = D::to_host(&doubled.try_backward().unwrap().get(&scores));
    assert_close("gradient", &found, &gradient.iter().map(|g| 2.0 * g).collect::<Vec<_>>(), 1e-6);
    let without_tape = D::cross_entropy(&scores, &targets, &mut NoneTape).unwrap();
    assert_close("loss without a tape", &without_tape.as_vec(), &[expected as f32], 1e-6);
}

fn refuses_other_shapes<D: TestDevice>() {
    let targets = D::shared().tensor_from_vec(TARGETS.to_vec(), (3, 2));
    for dims in [(2, 1, 1, 3), (1, 3, 1, 2), (6, 1, 1, 1)] {
        let refused = D::cross_entropy(&tensor(&SCORES, dims), &targets, &mut NoneTape);
        assert!(matches!(refused, Err(OpError::Shape { op: "cross_entropy", .. })), "{dims:?}");
    }
}

fn copies_and_sums_at_once<D: TestDevice>() {
    let values: Vec<f32> = (0..24).map(|i| i as f32 - 7.5).collect();
    let (first, second) = (tensor::<D>(&values[..5], (1, 1, 1, 5)), tensor::<D>(&values, (2, 3, 1, 4)));
    let permuted = second.clone().try_permute::<_, Axes4<3, 1, 2, 0>>().unwrap();
    let all = D::all_to_host(&[&first, &second, &permuted]).unwrap();
    assert_eq!((&all[0][..], &all[1]), (&values[..5], &values));
    let transposed = (0..24).map(|i| values[i % 2 * 12 + i / 2 % 3 * 4 + i / 6]).collect::<Vec<_>>();
    assert_eq!(all[2], transposed);
    let squares = |values: &[f32]| values.iter().map(|v| f64::from(v * v)).sum::<f64>();
    let found = D::sums_of_squares(&[&first, &second, &permuted]).unwrap();
    assert_eq!(found, [squares(&values[..5]), squares(&values), squares(&values)]);
    assert!(D::all_to_host(&[]).unwrap().is_empty() && D::sums_of_squares(&[]).unwrap().is_empty());
}

on_every_device!(equals_the_closed_form, refuses_other_shapes, copies_and_sums_at_once);
