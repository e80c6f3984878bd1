//! Arguments that do not match each other: every operation returns an error that names the expected shape.

use crate::problem::{Call, Dims, Implementation, Native, Problem, Reference, Vectors};
use dfdx::tensor::Cpu;
use nas_ops::{ConvSpec, OpError, PoolKind, PoolSpec, UnitSpec, Window};

/// Checks that a call on zeros of these shapes returns a shape error.
fn refused<I: Implementation>(call: Call, shapes: &[Dims]) {
    let inputs = shapes.iter().map(|&dims| (dims, vec![0.0; dims.0 * dims.1 * dims.2 * dims.3])).collect();
    let problem = Problem { call, inputs, dy: vec![] };
    match problem.infer::<I>() {
        Err(OpError::Shape { expected, found, .. }) => assert!(!expected.is_empty() && !found.is_empty()),
        other => panic!("{call:?} on {shapes:?} returned {other:?}"),
    }
}

/// Checks invalid arguments of every operation.
fn all<I: Implementation>() {
    let (image, weight, vector) = ((2, 4, 4, 4), (3, 3, 4, 6), (1, 1, 1, 6));
    let same = Window::same(3, 1, 1);
    let conv = |window, groups| ConvSpec { window, groups };
    let unit = |groups| UnitSpec { relu: true, conv: conv(same, groups) };
    let everything = Vectors { fixed: true, affine: true };
    let windows = [
        Window { kernel: [0, 3], ..same },
        Window { kernel: [usize::MAX, 3], ..same },
        Window { stride: [1, 0], ..same },
        Window { dilation: [0, 0], ..same },
        Window { dilation: [usize::MAX, 1], ..same },
        Window { padding: [usize::MAX, 1], ..same },
        Window { padding: [usize::MAX / 4, usize::MAX / 4], ..same },
        Window { kernel: [7, 7], ..same },
    ];
    for window in windows {
        refused::<I>(Call::Conv(conv(window, 1)), &[image, (window.kernel[0].min(9), window.kernel[1], 4, 6)]);
        refused::<I>(Call::Unit(UnitSpec { relu: true, conv: conv(window, 1) }, Vectors::BATCH), &[image, weight]);
        for kind in [PoolKind::Max, PoolKind::Average] {
            refused::<I>(Call::Pool(PoolSpec { kind, window }), &[image]);
        }
    }
    for kind in [PoolKind::Max, PoolKind::Average] {
        let padded = Window { padding: [3, 3], ..same };
        refused::<I>(Call::Pool(PoolSpec { kind, window: padded }), &[image]);
        refused::<I>(Call::Pool(PoolSpec { kind, window: same }), &[(0, 4, 4, 4)]);
    }
    for groups in [0, 3, 4] {
        refused::<I>(Call::Conv(conv(same, groups)), &[image, (3, 3, 1, 6)]);
        refused::<I>(Call::Unit(unit(groups), Vectors::BATCH), &[image, (3, 3, 1, 6)]);
    }
    for wrong in [(1, 3, 4, 6), (3, 5, 4, 6), (3, 3, 2, 6), (3, 3, 4, 0)] {
        refused::<I>(Call::Conv(conv(same, 1)), &[image, wrong]);
    }
    refused::<I>(Call::Conv(conv(same, 1)), &[(0, 4, 4, 4), weight]);
    for wrong in [(1, 1, 1, 5), (1, 1, 6, 1), (6, 1, 1, 1)] {
        for position in 0..4 {
            let mut vectors = [vector; 4];
            vectors[position] = wrong;
            refused::<I>(Call::Norm(everything), &[&[(2, 4, 4, 6)], &vectors[..]].concat());
            refused::<I>(Call::Unit(unit(1), everything), &[&[image, weight], &vectors[..]].concat());
        }
    }
    refused::<I>(Call::Norm(Vectors::BATCH), &[(2, 0, 4, 6)]);
    refused::<I>(Call::OddPixels, &[(2, 0, 4, 6)]);
    refused::<I>(Call::ScaleImages, &[(2, 0, 4, 6)]);
    refused::<I>(Call::Sum, &[]);
    refused::<I>(Call::Sum, &[image, (2, 4, 4, 3)]);
    refused::<I>(Call::Concat, &[]);
    refused::<I>(Call::Concat, &[image, (2, 4, 3, 4)]);
    refused::<I>(Call::Concat, &[image, (2, 4, 4, 0)]);
    refused::<I>(Call::GlobalAvgPool, &[(2, 0, 1, 4)]);
    refused::<I>(Call::Linear, &[(2, 1, 2, 4), (1, 1, 4, 3)]);
    refused::<I>(Call::Linear, &[(2, 1, 1, 4), (1, 1, 5, 3)]);
    refused::<I>(Call::Linear, &[(2, 1, 1, 4), (1, 1, 4, 3), (1, 1, 1, 4)]);
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

#[test]
fn patches_reject_the_arguments_that_a_convolution_rejects() {
    for (window, groups) in [(Window::same(3, 1, 1), 3), (Window::valid(5, 1), 1), (Window::valid(0, 1), 1)] {
        assert!(nas_ops::patches(&[0.0; 64], (1, 4, 4, 4), ConvSpec { window, groups }).is_err());
    }
}
