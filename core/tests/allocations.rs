//! Once every buffer has been used, training asks for no more large memory: activations, their gradients and scratch come
//! from a pool. The widths are such that no weight is large, for dfdx allocates those anew in each step.

use dfdx::prelude::*;
use nas_core::network::{Network, NetworkSpec, Pass};
use nas_core::space::{NasBench201, NasBenchMacro, Scale, SearchSpace};
use nas_core::streams::Streams;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes from which on an allocation counts.
const LARGE: usize = 64 * 1024;

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, with a count of large allocations.
struct Counting;

#[expect(unsafe_code, reason = "allocators are unsafe to implement")]
// SAFETY: all calls go to the system's allocator with the arguments that came; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(usize::from(layout.size() > LARGE), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(usize::from(layout.size() > LARGE), Ordering::Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Large allocations of the last of several passes through some architectures.
fn large_allocations(space: &dyn SearchSpace) -> usize {
    let device = Cpu::default();
    let spec = Arc::new(NetworkSpec::supernet(space).unwrap());
    let network = Network::new(spec.clone(), &device, 1, &Streams::new(0)).unwrap();
    let images = device.sample_normal_like(&(16, 32, 32, 3));
    let mut rng = Streams::new(0).rng("architectures", 0);
    let archs = (0..6).map(|_| space.sample(&mut rng)).collect::<Vec<_>>();
    let pass = || {
        for arch in &archs {
            let program = spec.program(space, arch).unwrap();
            let mut tape = OwnedTape::default();
            let scores = network.forward(images.clone(), &program, &Pass::PLAIN, &mut tape).unwrap().scores;
            scores.put_tape(tape).square().mean::<(), _>().backward();
        }
    };
    // With several threads, how many buffers are in use at once differs from pass to pass.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        pass();
        pass();
        let before = COUNT.load(Ordering::Relaxed);
        pass();
        COUNT.load(Ordering::Relaxed) - before
    })
}

#[test]
fn a_training_pass_allocates_nothing_large() {
    let scale = |width| Scale { image: [32, 32, 3], classes: 10, width, cells: 1 };
    assert_eq!(large_allocations(&NasBench201::new(scale(8))), 0);
    assert_eq!(large_allocations(&NasBenchMacro::new(scale(2))), 0);
}
