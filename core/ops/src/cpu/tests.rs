//! Tests of chains of operations.

use super::*;
use crate::{
    PoolKind, Window,
    cpu::simd::{InstructionLimit, limited},
    shape::{Dims, elements},
};
use dfdx::prelude::*;

pub fn wave(dims: Dims) -> Tensor4<Cpu> {
    let values = (0..elements(dims)).map(|i| (i as f32 * 0.7 + dims.3 as f32).sin()).collect::<Vec<_>>();
    Cpu::default().tensor_from_vec(values, dims)
}

/// Output and gradient of a chain of element-wise operations. Sums and frames read activations with a pending
/// normalisation.
fn chain(channels: usize) -> [Vec<f32>; 2] {
    let (tensor, mut tape) = (wave((3, 5, 6, channels)), OwnedTape::default());
    let x = CpuActivation::from_tensor(&tensor, &mut tape).unwrap();
    let normalised = x.batch_norm(NormArgs::BATCH, &mut tape).unwrap().0;
    let pools = [PoolKind::Max, PoolKind::Average].map(|kind| PoolSpec { kind, window: Window::same(3, 1, 1) });
    let [most, mean] = pools.map(|pool| normalised.pool2d(pool, &mut tape).unwrap());
    let pending = mean.batch_norm(NormArgs::BATCH, &mut tape).unwrap().0;
    let rectified = Activation::relu(&pending, &mut tape).unwrap();
    let spec = UnitSpec { relu: true, conv: ConvSpec { window: Window::same(3, 1, 1), groups: 1 } };
    let unit = pending.unit(&wave((3, 3, channels, channels)), spec, NormArgs::BATCH, &mut tape).unwrap().0;
    let y = <CpuActivation as Activation<Cpu>>::sum(&[&pending, &most, &rectified, &unit], &mut tape).unwrap();
    let y = y.to_tensor(&mut tape).unwrap();
    let values = y.as_vec();
    let gradients = y.put_tape(tape).square().sum::<(), _>().backward();
    [values, gradients.get(&tensor).as_vec()]
}

#[test]
fn wide_registers_give_the_same_bits() {
    // The limit applies to one thread.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for channels in [5, 8, 16, 28, 40] {
        let [wide, fused] = pool.install(|| [chain(channels), limited(InstructionLimit::Fused, || chain(channels))]);
        assert_eq!(wide, fused, "{channels} channels");
    }
}

fn unit_spec(groups: usize, kernel: usize, relu: bool) -> UnitSpec {
    UnitSpec { relu, conv: ConvSpec { window: Window::same(kernel, 1, 1), groups } }
}

/// The output of a 1 x 1 convolution that is not computed yet.
fn hidden<T: Tape<f32, Cpu>>(x: &CpuActivation, weight: &Tensor4<Cpu>, tape: &mut T) -> CpuActivation {
    let y = x.unit(weight, unit_spec(1, 1, false), NormArgs::BATCH, tape).unwrap().0;
    assert!(y.uncomputed().is_some());
    y
}

/// Output and gradients of the input and both weights.
fn inverted_residual() -> Vec<Vec<f32>> {
    let tensors = [(3, 12, 10, 20), (1, 1, 20, 76), (3, 3, 1, 76)].map(wave);
    let mut tape = OwnedTape::default();
    let x = CpuActivation::from_tensor(&tensors[0], &mut tape).unwrap();
    let y = hidden(&x, &tensors[1], &mut tape).unit(&tensors[2], unit_spec(76, 3, true), NormArgs::BATCH, &mut tape);
    let y = y.unwrap().0.to_tensor(&mut tape).unwrap();
    let values = y.as_vec();
    let grads = y.put_tape(tape).square().sum::<(), _>().backward();
    tensors.iter().map(|tensor| grads.get(tensor).as_vec()).chain([values]).collect()
}

#[test]
fn wide_registers_give_the_same_bits_of_deferred_convolutions() {
    // The limit applies to one thread.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let [wide, fused] = pool.install(|| [inverted_residual(), limited(InstructionLimit::Fused, inverted_residual)]);
    assert_eq!(wide, fused);
}

#[test]
fn first_images_leave_the_others_uncomputed() {
    let x = CpuActivation::constant(&wave((17, 4, 3, 2))).unwrap();
    let y = hidden(&x, &wave((1, 1, 2, 9)), &mut NoneTape);
    let first = y.first_images(10).unwrap().as_vec();
    assert!(y.uncomputed().is_some());
    assert_eq!(first, y.to_tensor(&mut NoneTape).unwrap().as_vec()[..first.len()]);
    assert!(y.uncomputed().is_none());
}
