//! Once every buffer has been used, training asks for no more large memory: activations, their gradients and scratch come
//! from a pool. The widths are such that no weight is large, for dfdx allocates those anew in each step.

use dfdx::prelude::*;
use nas_core::network::{Network, NetworkSpec, Pass};
use nas_core::space::{NasBench201, NasBenchMacro, Scale, SearchSpace};
use nas_core::streams::Streams;
use nas_ops::OpError;
use std::alloc::{GlobalAlloc, Layout, System};
use std::error::Error;
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
    // With several threads, how many buffers are in use at once differs from pass to pass.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    pool.install(|| {
        pass()?;
        pass()?;
        let before = COUNT.load(Ordering::Relaxed);
        pass()?;
        Ok(COUNT.load(Ordering::Relaxed) - before)
    })
}

#[test]
fn a_training_pass_allocates_nothing_large() {
    let scale = |width| Scale { image: [32, 32, 3], classes: 10, width, cells: 1 };
    assert_eq!(large_allocations(&NasBench201::new(scale(8))).unwrap(), 0);
    assert_eq!(large_allocations(&NasBenchMacro::new(scale(2))).unwrap(), 0);
}
