//! The kernels of each device compared with the plain implementation, for random shapes and parameters.
//!
//! Tolerances are relative to `1 + |expected|`, because both sides add in different orders. In single precision, a sum
//! of 576 products of values between -1 and 1 has an error of up to 2e-5 (measured for 2,400 sums of a plain loop
//! against double precision; up to 1e-5 with Winograd's algorithm).

use crate::problem::{Answer, Call, Dims, Implementation, Native, Problem, Reference, Vectors, assert_close};
use dfdx::tensor::Cpu;
use nas_ops::{Backend, ConvSpec, OpError, PoolKind, PoolSpec, UnitSpec, Window};
use proptest::{prelude::*, sample::select};

/// Panics unless all values agree, with a tolerance relative to the largest. Where weights are small, some gradients
/// are large and others are differences of large gradients.
fn assert_close_to_largest(found: &[f32], expected: &[f32], tolerance: f32) {
    let largest = expected.iter().fold(1.0, |largest: f32, e| largest.max(e.abs()));
    let scaled = |values: &[f32]| values.iter().map(|value| value / largest).collect::<Vec<_>>();
    assert_close("gradient", &scaled(found), &scaled(expected), tolerance);
}

/// Solves a random problem with the plain implementation and the kernels of each device, and compares the answers.
fn same_answers(call: Call, shapes: &[Dims], seed: u64, tolerance: f32) -> Result<(), TestCaseError> {
    let problem = match Problem::random(call, shapes, seed) {
        Err(OpError::Shape { .. }) => return Err(TestCaseError::reject("the window is larger than the image")),
        other => other.unwrap(),
    };
    let expected = problem.solve::<Reference<Cpu>>().unwrap();
    same_as::<Native<Cpu>>(&expected, &problem, tolerance);
    #[cfg(feature = "cuda")]
    same_as::<Native<dfdx::tensor::Cuda>>(&expected, &problem, tolerance);
    Ok(())
}

/// Solves a problem and compares the answer.
fn same_as<I: Implementation>(expected: &Answer, problem: &Problem, tolerance: f32) {
    let Answer { y, gradients, moments } = problem.solve::<I>().unwrap();
    assert_close("y", &y, &expected.y, tolerance);
    assert_close("y without a tape", &problem.infer::<I>().unwrap().1, &expected.y, tolerance);
    for (found, expected) in gradients.iter().zip(&expected.gradients) {
        match problem.call {
            Call::Units(..) => assert_close_to_largest(found, expected, tolerance),
            _ => assert_close("gradient", found, expected, tolerance),
        }
    }
    if let (Some((mean, variance)), Some((expected_mean, expected_variance))) = (moments, &expected.moments) {
        assert_close("mean", &mean, expected_mean, tolerance);
        assert_close("variance", &variance, expected_variance, tolerance);
    }
}

fn pair(range: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = [usize; 2]> {
    [range.clone(), range]
}

/// Any window, or a 3 x 3 window at stride 1, which has faster kernels.
fn window() -> impl Strategy<Value = Window> {
    let any = (pair(1..=5), pair(1..=3), pair(0..=4), pair(1..=2));
    let any = any.prop_map(|(kernel, stride, padding, dilation)| Window { kernel, stride, padding, dilation });
    let three = pair(0..=2).prop_map(|padding| Window { padding, ..Window::same(3, 1, 1) });
    prop_oneof![2 => any, 1 => three]
}

fn image() -> impl Strategy<Value = (usize, usize, usize)> {
    (1..=10_usize, 1..=9_usize, 1..=9_usize)
}

/// `(groups, inputs, outputs)` per group: dense with many channels, grouped, or depthwise.
fn channels() -> impl Strategy<Value = (usize, usize, usize)> {
    prop_oneof![
        (Just(1), 1..=20_usize, 1..=36_usize),
        (1..=2_usize, select(vec![8, 12, 16, 32, 64]), select(vec![8, 16, 24])),
        (2..=4_usize, 1..=5_usize, 1..=5_usize),
        (2..=20_usize, Just(1), Just(1)),
    ]
}

/// 48 cases, unless the variable `PROPTEST_CASES` sets their number.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { 48 };
    // Half of the windows are larger than their image.
    ProptestConfig { cases, max_global_rejects: 16 * cases, failure_persistence: None, ..default }
}

#[test]
fn pixels_with_many_registers() {
    let spec = ConvSpec { window: Window::same(3, 1, 1), groups: 1 };
    same_answers(Call::Conv(spec), &[(2, 7, 6, 128), (3, 3, 128, 128)], 1, 1e-4).unwrap();
}

#[test]
fn images_computed_in_pieces() {
    let spec = UnitSpec { relu: true, conv: ConvSpec { window: Window::same(1, 1, 1), groups: 1 } };
    let shapes = [(2, 34, 32, 24), (1, 1, 24, 64)];
    same_answers(Call::Unit(spec, Vectors::BATCH), &shapes, 1, 2e-3).unwrap();
    same_answers(Call::Conv(spec.conv), &shapes, 2, 2e-5).unwrap();
}

/// Whether a convolution has enough different outputs. With one pixel, or a few equal ones, rounding dominates the
/// gradient of the normalisation.
fn varies((n, h, w): (usize, usize, usize), window: Window) -> bool {
    let pixels = window.output([h, w]).map_or(0, |out| n * out[0] * out[1]);
    pixels >= 16 && window.padding[0] < window.kernel[0] && window.padding[1] < window.kernel[1]
}

/// Two units: a 1 x 1 convolution to `outputs` channels, and a depthwise convolution.
fn inverted(image: Dims, outputs: usize, window: Window, relus: [bool; 2], vectors: Vectors) -> (Call, Vec<Dims>) {
    let [kh, kw] = window.kernel;
    let pointwise = ConvSpec { window: Window::same(1, 1, 1), groups: 1 };
    let depthwise = ConvSpec { window, groups: outputs };
    let specs = [UnitSpec { relu: relus[0], conv: pointwise }, UnitSpec { relu: relus[1], conv: depthwise }];
    let mut shapes = vec![image, (1, 1, image.3, outputs), (kh, kw, 1, outputs)];
    shapes.extend(vectors.shapes(outputs));
    (Call::Units(specs, vectors), shapes)
}

/// Whether the gradients of two units do not depend on rounding. No value between the units may be so close to zero
/// that the ReLU of only one implementation passes it. No channel of the second convolution may vary so little around
/// its mean that only rounding errors remain after the normalisation.
fn well_posed(problem: &Problem) -> bool {
    let Call::Units([first, second], vectors) = problem.call else { panic!("{:?} is not two units", problem.call) };
    let between = Problem {
        call: Call::Unit(first, vectors),
        inputs: [&problem.inputs[..2], &problem.inputs[3..]].concat(),
        dy: vec![],
    };
    let hidden = between.infer::<Reference<Cpu>>().unwrap();
    if hidden.1.iter().any(|value| value.abs() < 1e-6) {
        return false;
    }
    let last = Problem {
        call: Call::Unit(second, Vectors::BATCH),
        inputs: vec![hidden, problem.inputs[2].clone()],
        dy: problem.dy.clone(),
    };
    let (mean, variance) = last.solve::<Reference<Cpu>>().unwrap().moments.unwrap();
    mean.iter().zip(&variance).all(|(mean, variance)| mean * mean <= 1e4 * variance)
}

#[test]
fn hidden_channels_computed_in_blocks() {
    for (outputs, kernel, stride) in [(36, 3, 1), (40, 5, 2), (33, 3, 3)] {
        let window = Window::same(kernel, stride, 1);
        let vectors = Vectors { fixed: false, affine: true };
        for relus in [[true, true], [false, true], [true, false]] {
            let (call, shapes) = inverted((2, 34, 32, 11), outputs, window, relus, vectors);
            same_answers(call, &shapes, 1, 2e-3).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn inverted_residual(
        (n, h, w) in image(),
        // Normalised values do not depend on the scale of their input, so the gradient of a scale is zero up to
        // rounding. Hence at least two input channels (the weight of a single one is a scale) and a second ReLU
        // (without it, the scale of the first normalisation has no effect).
        (inputs, expansion, more) in (2..=6_usize, 3..=6_usize, 0..=2_usize),
        window in window(),
        relu: bool,
        fixed: bool,
        affine: bool,
        seed in 0..1000_u64,
    ) {
        prop_assume!(n * h * w >= 16 * inputs && varies((n, h, w), window));
        let vectors = Vectors { fixed, affine };
        let (call, shapes) = inverted((n, h, w, inputs), inputs * expansion + more, window, [relu, true], vectors);
        prop_assume!(well_posed(&Problem::random(call, &shapes, seed).unwrap()));
        same_answers(call, &shapes, seed, 2e-3)?;
    }

    #[test]
    fn conv((n, h, w) in image(), (groups, inputs, outputs) in channels(), window in window(), seed in 0..1000_u64) {
        let [kh, kw] = window.kernel;
        let shapes = [(n, h, w, groups * inputs), (kh, kw, inputs, groups * outputs)];
        let tolerance = if inputs <= 20 { 2e-5 } else { 5e-5 };
        same_answers(Call::Conv(ConvSpec { window, groups }), &shapes, seed, tolerance)?;
        same_answers(Call::ReluConv(ConvSpec { window, groups }), &shapes, seed, tolerance)?;
    }

    #[test]
    fn unit(
        (n, h, w) in image(),
        (groups, inputs, outputs) in channels(),
        window in window(),
        relu: bool,
        fixed: bool,
        affine: bool,
        seed in 0..1000_u64,
    ) {
        prop_assume!(fixed || varies((n, h, w), window));
        let ([kh, kw], vectors) = (window.kernel, Vectors { fixed, affine });
        let mut shapes = vec![(n, h, w, groups * inputs), (kh, kw, inputs, groups * outputs)];
        shapes.extend(vectors.shapes(groups * outputs));
        let spec = UnitSpec { relu, conv: ConvSpec { window, groups } };
        same_answers(Call::Unit(spec, vectors), &shapes, seed, 2e-3)?;
    }

    #[test]
    fn pool((n, h, w) in image(), c in 1..=20_usize, window in window(), max: bool, seed in 0..1000_u64) {
        let kind = if max { PoolKind::Max } else { PoolKind::Average };
        same_answers(Call::Pool(PoolSpec { kind, window }), &[(n, h, w, c)], seed, 1e-5)?;
    }

    #[test]
    fn norm((n, h, w) in image(), c in 1..=20_usize, fixed: bool, affine: bool, seed in 0..1000_u64) {
        prop_assume!(fixed || n * h * w >= 16);
        let (mut shapes, vectors) = (vec![(n, h, w, c)], Vectors { fixed, affine });
        shapes.extend(vectors.shapes(c));
        same_answers(Call::Norm(vectors), &shapes, seed, 1e-4)?;
    }

    #[test]
    fn others((n, h, w) in image(), c in 1..=20_usize, outputs in 1..=20_usize, count in 1..=4_usize, bias: bool) {
        let image = (n, h, w, c);
        same_answers(Call::Relu, &[image], 1, 0.0)?;
        same_answers(Call::Relu6, &[image], 1, 0.0)?;
        same_answers(Call::OddPixels, &[image], 1, 0.0)?;
        same_answers(Call::ScaleImages, &[image], 1, 0.0)?;
        same_answers(Call::Sum, &vec![image; count], 2, 1e-6)?;
        let parts = (0..count).map(|i| (n, h, w, 1 + (c + 7 * i) % 11)).collect::<Vec<_>>();
        same_answers(Call::Concat, &parts, 3, 0.0)?;
        same_answers(Call::GlobalAvgPool, &[image], 4, 1e-5)?;
        let linear = [(n, 1, 1, c), (1, 1, c, outputs), (1, 1, 1, outputs)];
        same_answers(Call::Linear, &linear[..2 + usize::from(bias)], 5, 1e-5)?;
    }

    #[test]
    fn patches((n, h, w) in image(), groups in 1..=4_usize, inputs in 1..=5_usize, window in window()) {
        use dfdx::tensor::TensorFromVec;
        let values = (0..n * h * w * groups * inputs).map(|i| i as f32).collect::<Vec<_>>();
        let (dims, spec) = ((n, h, w, groups * inputs), ConvSpec { window, groups });
        let x = Cpu::default().tensor_from_vec(values.clone(), dims);
        match (nas_ops::patches(&values, dims, spec), nas_ops::reference::patches(&x, spec)) {
            (Ok(found), Ok(expected)) => prop_assert_eq!(found, Cpu::to_host(&expected)),
            (found, expected) => prop_assert_eq!(found.map(|_| ()), expected.map(|_| ())),
        }
    }
}
