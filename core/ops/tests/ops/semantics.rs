//! Properties that random inputs do not show: NaN, equal maxima, tensors used twice or not in row-major order, and
//! gradients that accumulate.

use crate::{
    on_tensors::OnTensors,
    problem::{Call, Dims, Implementation, Outcome, Problem, Reference, TestDevice, assert_close, for_each_native},
};
use dfdx::prelude::*;
use nas_ops::{Activation, Backend, ConvSpec, Moments, NormArgs, PoolKind, PoolSpec, Tensor4, UnitSpec, Window};

/// The operations of an implementation as functions of tensors.
type Ops<I> = OnTensors<<I as Implementation>::Device, <I as Implementation>::Activation>;

const SAME: Window = Window { kernel: [3; 2], stride: [1; 2], padding: [1; 2], dilation: [1; 2] };

/// Output and gradients of a call.
fn answer<I: Implementation>(call: Call, inputs: &[(Dims, &[f32])], dy: &[f32]) -> (Vec<f32>, Vec<Vec<f32>>) {
    let inputs = inputs.iter().map(|(dims, values)| (*dims, values.to_vec())).collect();
    let answer = Problem { call, inputs, dy: dy.to_vec() }.solve::<I>().unwrap();
    (answer.y, answer.gradients)
}

fn nan_stays<I: Implementation>() {
    let x = [f32::NAN, -1.0, 0.0, 2.0];
    let (y, gradients) = answer::<I>(Call::Relu, &[((1, 2, 2, 1), &x)], &[1.0; 4]);
    assert!(y[0].is_nan());
    assert_eq!(y[1..], [0.0, 0.0, 2.0]);
    assert_eq!(gradients[0], [1.0, 0.0, 0.0, 1.0]);
    let (y, _) = answer::<I>(Call::Relu6, &[((1, 2, 2, 1), &x)], &[1.0; 4]);
    assert!(y[0].is_nan() && y[1..] == [0.0, 0.0, 2.0]);
    let pool = PoolSpec { kind: PoolKind::Max, window: SAME };
    let (y, _) = answer::<I>(Call::Pool(pool), &[((1, 2, 2, 1), &x)], &[1.0; 4]);
    assert!(y.iter().all(|y| y.is_nan()));
}

#[test]
fn nan_stays_nan() {
    nan_stays::<Reference<Cpu>>();
    for_each_native!(nan_stays);
}

fn ties<I: Implementation>() {
    let pool = Call::Pool(PoolSpec { kind: PoolKind::Max, window: Window::valid(2, 2) });
    let (y, gradients) = answer::<I>(pool, &[((1, 2, 2, 1), &[1.0, 3.0, 3.0, 3.0])], &[5.0]);
    assert_eq!((y, &gradients[0][..]), (vec![3.0], &[0.0, 5.0, 0.0, 0.0][..]));
    let lowest = [f32::NEG_INFINITY; 4];
    let (y, gradients) = answer::<I>(pool, &[((1, 2, 2, 1), &lowest)], &[5.0]);
    assert_eq!((y, &gradients[0][..]), (vec![f32::NEG_INFINITY], &[5.0, 0.0, 0.0, 0.0][..]));
}

#[test]
fn the_first_of_equal_maxima_takes_the_gradient() {
    ties::<Reference<Cpu>>();
    for_each_native!(ties);
}

/// Gradients of the sum of the output of `call`.
fn gradients<D: TestDevice>(call: impl FnOnce(&mut OwnedTape<f32, D>) -> Tensor4<D>) -> Gradients<f32, D> {
    let mut tape = OwnedTape::default();
    let y = call(&mut tape);
    y.put_tape(tape).sum::<(), _>().backward()
}

/// A tensor of normally distributed values.
fn normal<D: TestDevice>(dims: Dims, seed: u64) -> Tensor4<D> {
    let values: Tensor4<Cpu> = Cpu::seed_from_u64(seed).sample_normal_like(&dims);
    D::shared().tensor_from_vec(values.as_vec(), dims)
}

fn used_twice<I: Implementation>() {
    let device = I::Device::shared();
    let x = device.tensor_from_vec(vec![2.0, -3.0], (1, 1, 1, 2));
    let sum = gradients(|tape| Ops::<I>::sum(&[&x, &x, &x], tape).unwrap());
    assert_eq!(I::Device::to_host(&sum.get(&x)), [3.0, 3.0]);
    let whole = gradients(|tape| Ops::<I>::concat(&[&x, &x], tape).unwrap());
    assert_eq!(I::Device::to_host(&whole.get(&x)), [2.0, 2.0]);
    let one = device.tensor_from_vec(vec![3.0], (1, 1, 1, 1));
    let square = gradients(|tape| Ops::<I>::linear(&one, &one, None, tape).unwrap());
    assert_eq!(I::Device::to_host(&square.get(&one)), [6.0]);
}

#[test]
fn a_tensor_may_be_used_twice() {
    used_twice::<Reference<Cpu>>();
    for_each_native!(used_twice);
}

fn accumulates<I: Implementation>() {
    let x: Tensor4<I::Device> = normal((3, 4, 4, 5), 1);
    let weight = normal((3, 3, 5, 5), 2);
    let spec = UnitSpec { relu: true, conv: ConvSpec { window: SAME, groups: 1 } };
    let run = |tape: &mut OwnedTape<f32, I::Device>| {
        let (y, _) = Ops::<I>::unit(&x, &weight, spec, NormArgs::BATCH, tape).unwrap();
        Ops::<I>::pool2d(&y, PoolSpec { kind: PoolKind::Max, window: SAME }, tape).unwrap()
    };
    let once = gradients(run);
    let twice_used = gradients(|tape| {
        let (first, second) = (run(tape), run(tape));
        Ops::<I>::sum(&[&first, &second], tape).unwrap()
    });
    let (_, mut tape) = x.trace(once.clone()).split_tape();
    let y = run(&mut tape);
    let two_passes = y.put_tape(tape).sum::<(), _>().backward();
    for tensor in [&x, &weight] {
        let double = I::Device::to_host(&once.get(tensor)).iter().map(|g| 2.0 * g).collect::<Vec<_>>();
        assert_close("two uses", &I::Device::to_host(&twice_used.get(tensor)), &double, 1e-5);
        assert_close("two passes", &I::Device::to_host(&two_passes.get(tensor)), &double, 1e-5);
    }
}

#[test]
fn gradients_accumulate_over_uses_and_passes() {
    for_each_native!(accumulates);
}

fn permuted_or_broadcast<I: Implementation>() {
    let host = I::Device::to_host;
    let x: Tensor4<I::Device> = normal((2, 5, 3, 4), 1);
    let weight = normal((3, 3, 1, 4), 2);
    let run = |x: &Tensor4<I::Device>, tape: &mut OwnedTape<f32, I::Device>| -> Outcome<I::Device> {
        let spec = ConvSpec { window: SAME, groups: 4 };
        let y = Ops::<I>::relu(&Ops::<I>::conv2d(x, &weight, spec, tape)?, tape)?;
        let y = Ops::<I>::sum(&[&Ops::<I>::concat(&[&y, x], tape)?, &Ops::<I>::concat(&[x, &y], tape)?], tape)?;
        Ok((Ops::<I>::global_avg_pool(&y, tape)?, None))
    };
    let permuted = x.clone().permute::<_, Axes4<0, 2, 1, 3>>();
    let ordered = permuted.clone().contiguous();
    let mut tape = OwnedTape::default();
    let found = run(&permuted, &mut tape).unwrap().0;
    let gradient = found.clone().put_tape(tape).sum::<(), _>().backward().get(&x);
    let mut tape = OwnedTape::default();
    let expected = run(&ordered, &mut tape).unwrap().0;
    assert_eq!(host(&found), host(&expected));
    let gradient_of_ordered = expected.put_tape(tape).sum::<(), _>().backward().get(&ordered);
    let back = gradient_of_ordered.permute::<(usize, usize, usize, usize), Axes4<0, 2, 1, 3>>().contiguous();
    assert_eq!(host(&gradient), host(&back));
    let row = I::Device::shared().tensor_from_vec(vec![1.0, -2.0], (1, 1, 1, 2));
    let spread: Tensor<(usize, usize, usize), f32, I::Device> = row.reshape_like(&(1, 1, 2));
    let spread: Tensor4<I::Device> = spread.broadcast_like::<_, Axis<0>>(&(3, 1, 1, 2));
    assert_eq!(host(&Ops::<I>::relu(&spread, &mut NoneTape).unwrap()), [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
}

#[test]
fn tensors_may_be_permuted_or_broadcast() {
    for_each_native!(permuted_or_broadcast);
}

fn moments<I: Implementation>() {
    let [x, w]: [Tensor4<I::Device>; 2] = [(2, 4, 4, 3), (1, 1, 3, 5)].map(|dims| normal(dims, 1));
    let vector = |value| I::Device::shared().tensor_from_vec(vec![value; 5], (1, 1, 1, 5));
    let fixed = Moments { mean: vector(0.5), variance: vector(2.0) };
    let spec = UnitSpec { relu: true, conv: ConvSpec { window: Window::valid(1, 1), groups: 1 } };
    for fixed in [None, Some(&fixed)] {
        let returned = |moments| {
            let norm = || NormArgs { fixed, return_moments: moments, ..NormArgs::BATCH };
            let (y, of_unit) = Ops::<I>::unit(&x, &w, spec, norm(), &mut NoneTape).unwrap();
            let (_, of_norm) = Ops::<I>::batch_norm(&y, norm(), &mut NoneTape).unwrap();
            (I::Device::to_host(&y), of_unit.is_some(), of_norm.is_some())
        };
        let (values, ..) = returned(true);
        assert_eq!(returned(true), (values.clone(), true, true));
        assert_eq!(returned(false), (values, false, false));
    }
}

#[test]
fn moments_are_returned_where_they_are_wanted() {
    moments::<Reference<Cpu>>();
    for_each_native!(moments);
}

fn cached<I: Implementation>() {
    // A device of its own: the cache is one of the device.
    let device = I::Device::default();
    let values: Tensor4<Cpu> = normal((2, 5, 5, 4), 1);
    let x = device.tensor_from_vec(values.as_vec(), (2, 5, 5, 4));
    let run = || {
        let mut tape = OwnedTape::default();
        let pool = PoolSpec { kind: PoolKind::Average, window: SAME };
        let (y, _) = Ops::<I>::batch_norm(&x, NormArgs::BATCH, &mut tape).unwrap();
        let y = Ops::<I>::pool2d(&y, pool, &mut tape).unwrap();
        let y = Ops::<I>::relu(&y, &mut tape).unwrap();
        let values = I::Device::to_host(&y);
        (values, I::Device::to_host(&y.put_tape(tape).square().sum::<(), _>().backward().get(&x)))
    };
    let without = run();
    device.enable_cache();
    for _ in 0..3 {
        assert_eq!(run(), without);
    }
    device.empty_cache();
}

#[test]
fn a_cache_of_the_device_does_not_change_results() {
    for_each_native!(cached);
}

/// Gradients of a unit whose output is read by two depthwise convolutions and, with `others`, by a ReLU. The
/// convolutions compute it themselves; for the ReLU it is computed in full.
fn read_by_several<I: Implementation>(others: bool) -> Vec<Vec<f32>> {
    let wave = |dims: Dims| {
        let len = dims.0 * dims.1 * dims.2 * dims.3;
        I::Device::shared().tensor_from_vec((0..len).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>(), dims)
    };
    let tensors = [(9, 5, 4, 4), (1, 1, 4, 20), (3, 3, 1, 20), (3, 3, 1, 20)].map(wave);
    let unit = |window: Window, groups, relu| UnitSpec { relu, conv: ConvSpec { window, groups } };
    let mut tape = OwnedTape::default();
    let x = I::Activation::from_tensor(&tensors[0], &mut tape).unwrap();
    let expand = unit(Window::valid(1, 1), 1, true);
    let hidden = x.unit(&tensors[1], expand, NormArgs::BATCH, &mut tape).unwrap().0;
    let mut read = |weight| hidden.unit(weight, unit(SAME, 20, true), NormArgs::BATCH, &mut tape).unwrap().0;
    let mut terms = vec![read(&tensors[2]), read(&tensors[3])];
    if others {
        terms.push(hidden.relu(&mut tape).unwrap());
    }
    let y = I::Activation::sum(&terms.iter().collect::<Vec<_>>(), &mut tape).unwrap().to_tensor(&mut tape).unwrap();
    let gradients = y.put_tape(tape).square().sum::<(), _>().backward();
    tensors.iter().map(|tensor| I::Device::to_host(&gradients.get(tensor))).collect()
}

fn several_readers<I: Implementation>() {
    for others in [false, true] {
        let expected = read_by_several::<Reference<Cpu>>(others);
        for (found, expected) in read_by_several::<I>(others).iter().zip(expected) {
            assert_close("gradient", found, &expected, 2e-3);
        }
    }
}

#[test]
fn hidden_channels_may_have_several_readers() {
    for_each_native!(several_readers);
}

fn scaled_images<I: Implementation>() {
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let (y, gradients) = answer::<I>(Call::ScaleImages, &[((3, 1, 1, 2), &x)], &[1.0; 6]);
    assert_eq!(y, [0.0, 0.0, 3.75, 5.0, -2.5, -3.0]);
    assert_eq!(gradients[0], [0.0, 0.0, 1.25, 1.25, -0.5, -0.5]);
}

#[test]
fn every_image_has_its_own_factor() {
    scaled_images::<Reference<Cpu>>();
    for_each_native!(scaled_images);
}
