//! Results have the same bits for any number of threads.

use crate::problem::{Call, Dims, Native, Problem, Vectors};
use dfdx::tensor::Cpu;
use nas_ops::{ConvSpec, PoolKind, PoolSpec, UnitSpec, Window};

/// Solves a problem with 1, 2, 3 and 16 threads and compares the bits.
fn same_bits(call: Call, shapes: &[Dims]) {
    let problem = Problem::random(call, shapes, 3).unwrap();
    let answers = [1, 2, 3, 16].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| problem.solve::<Native<Cpu>>()).unwrap()
    });
    for answer in &answers[1..] {
        assert_eq!(answer, &answers[0], "{call:?}");
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    // 53 images are six groups of eight and one of five.
    let (image, vector) = ((53, 6, 5, 12), (1, 1, 1, 12));
    let conv = |kernel, stride, groups| ConvSpec { window: Window::same(kernel, stride, 1), groups };
    for (spec, weight) in [
        (conv(3, 1, 1), (3, 3, 12, 20)),
        (conv(1, 1, 1), (1, 1, 12, 20)),
        (conv(3, 2, 1), (3, 3, 12, 20)),
        (conv(3, 1, 3), (3, 3, 4, 6)),
        (conv(5, 2, 12), (5, 5, 1, 12)),
    ] {
        same_bits(Call::Conv(spec), &[image, weight]);
        same_bits(Call::ReluConv(spec), &[image, weight]);
    }
    same_bits(Call::Conv(conv(3, 1, 1)), &[(53, 6, 5, 16), (3, 3, 16, 32)]);
    // Each image is computed in two pieces.
    same_bits(Call::Conv(conv(1, 1, 1)), &[(19, 32, 17, 16), (1, 1, 16, 32)]);
    for conv in [conv(3, 1, 1), conv(3, 1, 12)] {
        let unit = UnitSpec { relu: true, conv };
        let weight = (3, 3, 12 / conv.groups, 12);
        same_bits(Call::Unit(unit, Vectors::BATCH), &[image, weight]);
        same_bits(Call::Unit(unit, Vectors { fixed: false, affine: true }), &[image, weight, vector, vector]);
    }
    let units = [(false, conv(1, 1, 1)), (true, conv(3, 2, 40))].map(|(relu, conv)| UnitSpec { relu, conv });
    same_bits(Call::Units(units, Vectors::BATCH), &[image, (1, 1, 12, 40), (3, 3, 1, 40)]);
    for kind in [PoolKind::Max, PoolKind::Average] {
        same_bits(Call::Pool(PoolSpec { kind, window: Window::same(3, 1, 1) }), &[image]);
    }
    same_bits(Call::Norm(Vectors::BATCH), &[image]);
    same_bits(Call::Norm(Vectors { fixed: true, affine: true }), &[image, vector, vector, vector, vector]);
    same_bits(Call::OddPixels, &[image]);
    same_bits(Call::ScaleImages, &[image]);
    same_bits(Call::Relu, &[image]);
    same_bits(Call::Relu6, &[image]);
    same_bits(Call::Sum, &[image, image, image]);
    same_bits(Call::Concat, &[image, (53, 6, 5, 3)]);
    same_bits(Call::GlobalAvgPool, &[image]);
    same_bits(Call::Linear, &[(53, 1, 1, 70), (1, 1, 70, 20), (1, 1, 1, 20)]);
}
