//! Convolutions in TF32. A program of its own, because the precision holds for a whole process.

#![cfg(feature = "cuda")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../ops/on_tensors.rs"]
mod on_tensors;
#[path = "../ops/problem.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "other tests use the rest")]
mod problem;

use dfdx::tensor::{Cpu, Cuda};
use nas_ops::{ConvSpec, UnitSpec, Window};
use problem::{Answer, Call, Dims, Native, Problem, Reference, TestDevice, Vectors, assert_close};

/// Half a unit in the last of the 11 bits, for both factors of a product.
const PRODUCT_ERROR: f32 = 1.0 / 1024.0;

/// Solves a problem on the GPU in TF32.
fn in_tf32(problem: &Problem) -> Answer {
    nas_ops::set_tf32(&Cuda::shared(), true).unwrap();
    problem.solve::<Native<Cuda>>().unwrap()
}

/// A problem with `change` applied to all inputs and to the gradient of the output.
fn changed(mut problem: Problem, change: impl Fn(f32) -> f32) -> Problem {
    let inputs = problem.inputs.iter_mut().flat_map(|(_, values)| values.iter_mut());
    inputs.chain(&mut problem.dy).for_each(|value| *value = change(*value));
    problem
}

/// Convolutions with narrow and wide tiles, partial tiles, several groups, strides and dilation.
fn convolutions() -> Vec<(ConvSpec, [Dims; 2])> {
    let conv = |kernel, stride, dilation, groups| ConvSpec { window: Window::same(kernel, stride, dilation), groups };
    vec![
        (conv(3, 1, 1, 1), [(2, 9, 7, 5), (3, 3, 5, 13)]),
        (conv(1, 1, 1, 1), [(3, 8, 8, 24), (1, 1, 24, 40)]),
        (conv(3, 2, 1, 1), [(1, 11, 9, 33), (3, 3, 33, 70)]),
        (conv(3, 1, 2, 2), [(2, 6, 5, 8), (3, 3, 4, 34)]),
    ]
}

/// Small whole numbers and sums of their products have no rounding in any precision.
#[test]
fn products_of_whole_numbers_are_exact() {
    let linear = (Call::Linear, vec![(5, 1, 1, 33), (1, 1, 33, 10), (1, 1, 1, 10)]);
    let convolutions = convolutions().into_iter().map(|(spec, shapes)| (Call::Conv(spec), shapes.to_vec()));
    for (seed, (call, shapes)) in convolutions.chain([linear]).enumerate() {
        let problem = Problem::random(call, &shapes, seed as u64).unwrap();
        let problem = changed(problem, |value| (8.0 * value).round());
        assert_eq!(in_tf32(&problem), problem.solve::<Reference<Cpu>>().unwrap(), "{call:?}");
    }
}

/// The statistics that a convolution collects of its output.
#[test]
fn statistics_of_whole_numbers() {
    for (seed, (conv, shapes)) in convolutions().into_iter().enumerate() {
        let call = Call::Unit(UnitSpec { relu: true, conv }, Vectors::BATCH);
        let problem = changed(Problem::random(call, &shapes, seed as u64).unwrap(), |value| (8.0 * value).round());
        let (found, expected) = (in_tf32(&problem), problem.solve::<Reference<Cpu>>().unwrap());
        assert_close("y", &found.y, &expected.y, 1e-4);
        let ((mean, variance), (expected_mean, expected_variance)) =
            (found.moments.unwrap(), expected.moments.unwrap());
        assert_close("mean", &mean, &expected_mean, 1e-5);
        assert_close("variance", &variance, &expected_variance, 1e-5);
    }
}

/// The error of a sum of products is at most that of each product; and there is one, so tensor cores are used.
#[test]
fn errors_are_those_of_rounded_factors() {
    for (seed, (spec, shapes)) in convolutions().into_iter().enumerate() {
        let problem = Problem::random(Call::Conv(spec), &shapes, seed as u64).unwrap();
        let (found, expected) = (in_tf32(&problem), problem.solve::<Reference<Cpu>>().unwrap());
        let sizes = changed(problem, f32::abs).solve::<Reference<Cpu>>().unwrap();
        let sides = |answer: Answer| [vec![answer.y], answer.gradients].concat();
        for ((found, expected), sizes) in sides(found).iter().zip(sides(expected)).zip(sides(sizes)) {
            let errors =
                || found.iter().zip(&expected).zip(&sizes).map(|((f, e), size)| (f - e).abs() / size.max(1e-3));
            // Sums in single precision add 1e-5.
            let largest = errors().fold(0.0, f32::max);
            assert!(largest <= PRODUCT_ERROR + 1e-5, "{spec:?}: {largest}");
            assert!(largest > 1e-5, "{spec:?}: no factor was rounded: {largest}");
        }
    }
}

/// 1 + 2^-11 lies between two neighbours and becomes the larger; everything below becomes 1.
#[test]
fn ties_round_away_from_zero() {
    let spec = ConvSpec { window: Window::same(1, 1, 1), groups: 1 };
    let tie = 1.0 + f32::powi(2.0, -11);
    let x = vec![tie, tie.next_down(), -tie, f32::INFINITY, f32::NAN];
    let inputs = vec![((1, 1, 5, 1), x), ((1, 1, 1, 1), vec![1.0])];
    let y = in_tf32(&Problem { call: Call::Conv(spec), inputs, dy: vec![0.0; 5] }).y;
    let larger = 1.0 + f32::powi(2.0, -10);
    assert_eq!(y[..4], [larger, 1.0, -larger, f32::INFINITY]);
    assert!(y[4].is_nan());
}
