//! Compares the optimizer of each device with the reference operations. A test of `nas-core` compares the reference
//! with PyTorch.

use crate::problem::{TestDevice, assert_close};
use dfdx::prelude::*;
use nas_ops::{Backend, OpError, SgdParam, SgdSpec, Tensor4, reference};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};

/// An implementation of one step.
type Step<D> = fn(&mut [SgdParam<'_, D>], SgdSpec) -> Result<f64, OpError>;

/// The norm of the gradients, the updates and the velocities after a step.
type StepResult = (f64, Vec<Vec<f32>>, Vec<Vec<f32>>);

/// One vector of random values per size.
fn random<D: TestDevice>(sizes: &[usize], seed: u64) -> Vec<Tensor4<D>> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let values = |size: &usize| (0..*size).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f32>>();
    let tensors = sizes.iter().map(values).collect::<Vec<_>>();
    tensors.into_iter().map(|v| D::shared().tensor_from_vec(v.clone(), (1, 1, 1, v.len()))).collect()
}

/// The results of three steps on parameters of these sizes. The first step has no velocities.
fn three_steps<D: TestDevice>(step: Step<D>, spec: SgdSpec, sizes: &[usize], seed: u64) -> Vec<StepResult> {
    let weights = random(sizes, seed);
    let mut velocities = vec![None; sizes.len()];
    let steps = (1..4).map(|number| {
        let (gradients, mut updates) = (random(sizes, seed + number), vec![None; sizes.len()]);
        let tensors = weights.iter().zip(&gradients).zip(&mut velocities).zip(&mut updates);
        let params = tensors.map(|(((weight, gradient), velocity), update)| SgdParam {
            weight,
            gradient,
            velocity: velocity.take(),
            update,
        });
        let mut params = params.collect::<Vec<_>>();
        let norm = step(&mut params, spec).unwrap();
        velocities = params.into_iter().map(|param| param.velocity).collect();
        let values = |all: &[Option<Tensor4<D>>]| all.iter().flatten().map(D::to_host).collect();
        (norm, values(&updates), values(&velocities))
    });
    steps.collect()
}

proptest! {
    #[test]
    fn kernels_have_the_results_of_the_plain_implementation(
        sizes in prop::collection::vec(1..=300_usize, 1..=4),
        (lr, momentum, decay, clip) in (0.0..1.0, 0.0..1.0, 0.0..0.1, 0.1..10.0),
        (nesterov, moving, decays) in any::<(bool, bool, bool)>(),
        seed in 0..1000_u64,
    ) {
        let chosen = |on: bool, value: f64| if on { value } else { 0.0 };
        let spec = SgdSpec { lr, nesterov, clip, momentum: chosen(moving, momentum), weight_decay: chosen(decays, decay) };
        let expected = three_steps::<Cpu>(reference::sgd, spec, &sizes, seed);
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            prop_assert_eq!(&pool.install(|| three_steps(Cpu::sgd, spec, &sizes, seed)), &expected);
        }
        #[cfg(feature = "cuda")]
        same_up_to_rounding(&three_steps(Cuda::sgd, spec, &sizes, seed), &expected);
    }
}

/// A GPU rounds products and sums once instead of twice, and adds squares in another order.
#[cfg(feature = "cuda")]
fn same_up_to_rounding(found: &[StepResult], expected: &[StepResult]) {
    for (found, expected) in found.iter().zip(expected) {
        assert!((found.0 / expected.0 - 1.0).abs() < 1e-5, "norm {} instead of {}", found.0, expected.0);
        for (found, expected) in [(&found.1, &expected.1), (&found.2, &expected.2)] {
            assert_eq!(found.len(), expected.len());
            found.iter().zip(expected).for_each(|(f, e)| assert_close("step", f, e, 1e-5));
        }
    }
}

fn sum_copies<D: TestDevice>() {
    let [x, y] = &random::<D>(&[50, 50], 1)[..] else { unreachable!() };
    let (mut ours, mut plain, before) = (x.clone(), x.clone(), x.as_vec());
    D::add_to(&mut [(&mut ours, y)]).unwrap();
    reference::add_to(&mut [(&mut plain, y)]).unwrap();
    assert_eq!(ours.as_vec(), plain.as_vec());
    assert_ne!(ours.as_vec(), before);
    assert_eq!(x.as_vec(), before);
}

#[test]
fn a_sum_does_not_change_other_tensors_with_the_same_memory() {
    sum_copies::<Cpu>();
    #[cfg(feature = "cuda")]
    sum_copies::<Cuda>();
}

fn permuted_or_broadcast<D: TestDevice>(tolerance: f32) {
    let values = |(a, b, c, d)| random::<D>(&[a * b * c * d], 1).remove(0).reshape_like(&(a, b, c, d));
    let (x, spec) =
        (values((2, 3, 4, 5)), SgdSpec { lr: 0.1, momentum: 0.9, nesterov: false, weight_decay: 0.1, clip: 1.0 });
    let permuted = values((5, 4, 3, 2)).permute::<_, Axes4<3, 2, 1, 0>>();
    let broadcast: Tensor4<D> =
        random::<D>(&[5], 2).remove(0).reshape_like(&(5,)).broadcast_like::<_, Axes3<0, 1, 2>>(&(2, 3, 4, 5));
    let step = |step: Step<D>, x: &Tensor4<D>| {
        let (mut update, gradient) = (None, &permuted);
        step(&mut [SgdParam { weight: x, gradient, velocity: None, update: &mut update }], spec).unwrap();
        update.unwrap().as_vec()
    };
    for x in [&x, &broadcast] {
        assert_close("update", &step(D::sgd, x), &step(reference::sgd, x), tolerance);
    }
    for y in [&permuted, &broadcast] {
        let (mut ours, mut plain) = (x.clone(), x.clone());
        D::add_to(&mut [(&mut ours, y)]).unwrap();
        reference::add_to(&mut [(&mut plain, y)]).unwrap();
        assert_eq!(ours.as_vec(), plain.as_vec());
    }
}

#[test]
fn gradients_and_updates_may_be_permuted_or_broadcast() {
    permuted_or_broadcast::<Cpu>(0.0);
    #[cfg(feature = "cuda")]
    permuted_or_broadcast::<Cuda>(1e-6);
}

fn unequal_shapes<D: TestDevice>() {
    let [x, y] = &random::<D>(&[3, 4], 1)[..] else { unreachable!() };
    let spec = SgdSpec { lr: 0.1, momentum: 0.9, nesterov: false, weight_decay: 0.0, clip: 5.0 };
    for step in [D::sgd, reference::sgd as Step<D>] {
        for (gradient, velocity) in [(y, None), (x, Some(y.clone()))] {
            let mut update = None;
            let error = step(&mut [SgdParam { weight: x, gradient, velocity, update: &mut update }], spec).unwrap_err();
            assert!(matches!(error, OpError::Shape { .. }) && update.is_none(), "{error}");
        }
    }
    for add in [D::add_to, reference::add_to::<D> as fn(&mut [(&mut Tensor4<D>, &Tensor4<D>)]) -> _] {
        let mut first = x.clone();
        let error: OpError = add(&mut [(&mut first, x), (&mut x.clone(), y)]).unwrap_err();
        assert_eq!(first.as_vec(), x.as_vec());
        assert!(matches!(error, OpError::Shape { .. }), "{error}");
    }
}

#[test]
fn unequal_shapes_are_errors() {
    unequal_shapes::<Cpu>();
    #[cfg(feature = "cuda")]
    unequal_shapes::<Cuda>();
}
