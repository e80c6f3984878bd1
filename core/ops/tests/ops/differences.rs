//! Gradients compared with central differences, for every operation and every input.
//!
//! All inputs of a problem are distinct multiples of a step that is larger than the perturbation. No maximum or ReLU
//! then changes its branch under a perturbation.

use crate::problem::{Call, Dims, Implementation, Native, Problem, Reference, Vectors};
use dfdx::tensor::Cpu;
use nas_ops::{ConvSpec, PoolKind, PoolSpec, UnitSpec, Window};
use rand::{SeedableRng, seq::SliceRandom};

/// Distance of neighbouring inputs.
const STEP: f32 = 1.0 / 32.0;
/// Perturbation of an input.
const PERTURBATION: f32 = 1.0 / 128.0;

/// A problem whose inputs are distinct multiples of [`STEP`], in random order.
fn distinct(call: Call, shapes: &[Dims]) -> Problem {
    let mut problem = Problem::random(call, shapes, 1).unwrap();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(2);
    for (_, values) in &mut problem.inputs {
        let middle = values.len() as f32 / 2.0 - 0.5;
        values.iter_mut().enumerate().for_each(|(i, v)| *v = STEP * (i as f32 - middle));
        values.shuffle(&mut random);
        if values.len() == 1 {
            values[0] = 0.75;
        }
    }
    if let Some(first) = problem.fixed_inputs() {
        problem.inputs[first + 1].1.iter_mut().for_each(|variance| *variance = variance.abs() + 0.5);
    }
    problem
}

/// `sum(y dy)`, in double precision.
fn loss<I: Implementation>(problem: &Problem) -> f64 {
    let (_, y) = problem.infer::<I>().unwrap();
    y.iter().zip(&problem.dy).map(|(&y, &dy)| f64::from(y) * f64::from(dy)).sum()
}

/// Compares the gradients of one call with central differences.
fn check<I: Implementation>(call: Call, shapes: &[Dims]) {
    let problem = distinct(call, shapes);
    let gradients = problem.solve::<I>().unwrap().gradients;
    let fixed = problem.fixed_inputs().map_or(0..0, |first| first..first + 2);
    let learned = (0..problem.inputs.len()).filter(|i| !fixed.contains(i));
    for (input, gradient) in learned.zip(gradients) {
        for (i, found) in gradient.into_iter().enumerate() {
            let shifted = |by: f32| {
                let mut shifted = problem.clone();
                shifted.inputs[input].1[i] += by;
                loss::<I>(&shifted)
            };
            let expected = (shifted(PERTURBATION) - shifted(-PERTURBATION)) / f64::from(2.0 * PERTURBATION);
            let error = (f64::from(found) - expected).abs();
            assert!(
                error <= 3e-3 * (1.0 + expected.abs()),
                "{call:?}: input {input}[{i}]: found {found}, expected {expected}"
            );
        }
    }
}

/// Checks every operation.
fn all<I: Implementation>() {
    let image = (2, 4, 5, 4);
    let vector = (1, 1, 1, 4);
    let norm = [vector; 4];
    let conv = |kernel, stride, dilation, groups| ConvSpec { window: Window::same(kernel, stride, dilation), groups };
    for (spec, weight) in [
        (conv(3, 1, 1, 1), (3, 3, 4, 3)),
        (conv(3, 2, 1, 1), (3, 3, 4, 2)),
        (conv(1, 1, 1, 1), (1, 1, 4, 5)),
        (conv(3, 1, 1, 2), (3, 3, 2, 4)),
        (conv(5, 2, 2, 4), (5, 5, 1, 4)),
        (conv(3, 1, 1, 4), (3, 3, 1, 4)),
    ] {
        check::<I>(Call::Conv(spec), &[image, weight]);
        check::<I>(Call::ReluConv(spec), &[image, weight]);
    }
    for kind in [PoolKind::Max, PoolKind::Average] {
        check::<I>(Call::Pool(PoolSpec { kind, window: Window::same(3, 1, 1) }), &[image]);
        check::<I>(Call::Pool(PoolSpec { kind, window: Window::same(3, 2, 1) }), &[image]);
        check::<I>(Call::Pool(PoolSpec { kind, window: Window::valid(2, 2) }), &[image]);
    }
    for (fixed, affine) in [(false, false), (false, true), (true, false), (true, true)] {
        let vectors = Vectors { fixed, affine };
        let count = 2 * usize::from(fixed) + 2 * usize::from(affine);
        check::<I>(Call::Norm(vectors), &[&[image], &norm[..count]].concat());
        let dense = UnitSpec { relu: true, conv: conv(3, 1, 1, 1) };
        check::<I>(Call::Unit(dense, vectors), &[&[image, (3, 3, 4, 4)], &norm[..count]].concat());
        let depthwise = UnitSpec { relu: true, conv: conv(3, 2, 1, 4) };
        check::<I>(Call::Unit(depthwise, vectors), &[&[image, (3, 3, 1, 4)], &norm[..count]].concat());
    }
    check::<I>(Call::Relu, &[image]);
    check::<I>(Call::ScaleImages, &[image]);
    check::<I>(Call::Sum, &[image; 1]);
    check::<I>(Call::Sum, &[image; 3]);
    check::<I>(Call::Concat, &[(2, 3, 2, 4), (2, 3, 2, 1), (2, 3, 2, 3)]);
    check::<I>(Call::GlobalAvgPool, &[image]);
    check::<I>(Call::Linear, &[(3, 1, 1, 5), (1, 1, 5, 4)]);
    check::<I>(Call::Linear, &[(3, 1, 1, 5), (1, 1, 5, 4), (1, 1, 1, 4)]);
}

#[test]
fn reference() {
    all::<Reference<Cpu>>();
}

#[test]
fn cpu() {
    all::<Native<Cpu>>();
}

#[test]
#[cfg(feature = "cuda")]
fn cuda() {
    all::<Native<dfdx::tensor::Cuda>>();
}
