//! After a warm-up, training makes no large allocation. Activations, their gradients and scratch memory come from a
//! pool, and weights and velocities are updated in place. The weights of the tested passes are small, because dfdx
//! allocates the gradients of weights in every step.

use dfdx::prelude::*;
use nas_core::network::{Network, NetworkSpec, Pass};
use nas_core::optimizer::Sgd;
use nas_core::space::{NasBench201, NasBenchMacro, Scale, SearchSpace};
use nas_core::strategy::ParamStep;
use nas_core::streams::Streams;
use nas_ops::OpError;
use std::alloc::{GlobalAlloc, Layout, System};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Smallest size in bytes of an allocation that is counted.
const LARGE: usize = 64 * 1024;

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// The system allocator with a counter of large allocations.
struct Counting;

#[expect(unsafe_code, reason = "allocators are unsafe to implement")]
// SAFETY: all calls are forwarded to the system allocator with unchanged arguments, and counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(usize::from(layout.size() > LARGE), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of the same function of the system allocator.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(usize::from(layout.size() > LARGE), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of the same function of the system allocator.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of the same function of the system allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Number of large allocations in the last of several passes over some architectures.
fn large_allocations(space: &dyn SearchSpace) -> Result<usize, Box<dyn Error + Send + Sync>> {
    let device = Cpu::default();
    let spec = Arc::new(NetworkSpec::supernet(space)?);
    let network = Network::new(spec.clone(), &device, 1, &Streams::new(0))?;
    let images = device.sample_normal_like(&(16, 32, 32, 3));
    let mut rng = Streams::new(0).rng("architectures", 0);
    let archs = (0..6).map(|_| space.sample(&mut rng)).collect::<Vec<_>>();
    let programs = archs.iter().map(|arch| spec.program(space, arch)).collect::<Result<Vec<_>, _>>()?;
    let pass = || {
        programs.iter().try_for_each(|program| {
            let mut tape = OwnedTape::default();
            let scores = network.forward(images.clone(), program, &Pass::PLAIN, &mut tape)?.scores;
            scores.put_tape(tape).square().mean::<(), _>().backward();
            Ok::<_, OpError>(())
        })
    };
    // With several threads, the number of buffers in use at the same time differs between passes.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    pool.install(|| {
        pass()?;
        pass()?;
        let before = COUNT.load(Ordering::Relaxed);
        pass()?;
        Ok(COUNT.load(Ordering::Relaxed) - before)
    })
}

/// Number of large weights, and of large allocations in the last of several updates of all weights. Each weight needs
/// one.
fn large_weights(space: &dyn SearchSpace) -> Result<(usize, usize), Box<dyn Error + Send + Sync>> {
    let spec = Arc::new(NetworkSpec::supernet(space)?);
    let mut network = Network::new(spec.clone(), &Cpu::default(), 1, &Streams::new(0))?;
    let mut optimizer = Sgd::new(0.9, false, 3e-4, 5.0, spec.params.len());
    let large = spec.params.iter().filter(|param| param.shape.iter().product::<usize>() * 4 > LARGE).count();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let mut update = || {
        let step = |(param, weight): (usize, &nas_ops::Tensor4<Cpu>)| {
            let (layer, role) = (spec.params[param].layer, spec.params[param].role);
            let gradient = weight.clone() * 2.0;
            ParamStep { param, set: 0, layer, role, gradient, weight: weight.clone(), update: None }
        };
        let mut params = network.params().iter().enumerate().map(step).collect::<Vec<_>>();
        let before = COUNT.load(Ordering::Relaxed);
        optimizer.compute_updates(&mut params, 0.1, |param| param.param)?;
        network.apply(&mut params)?;
        Ok::<_, OpError>(COUNT.load(Ordering::Relaxed) - before)
    };
    pool.install(|| {
        update()?;
        Ok((large, update()?))
    })
}

// A single test, because allocations of concurrent tests would be counted too.
#[test]
fn training_allocates_nothing_large_but_updates_of_large_weights() {
    let scale = |width| Scale { image: [32, 32, 3], classes: 10, width, cells: 1 };
    assert_eq!(large_allocations(&NasBench201::new(scale(8))).unwrap(), 0);
    assert_eq!(large_allocations(&NasBenchMacro::new(scale(2))).unwrap(), 0);
    let (weights, allocations) = large_weights(&NasBenchMacro::new(scale(8))).unwrap();
    assert!(weights > 0);
    assert_eq!(allocations, weights);
}
