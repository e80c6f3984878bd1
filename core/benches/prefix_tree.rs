//! Time to evaluate all 6,561 architectures of `macro` on 1,000 images: in prefix trees of 256 architectures, the size
//! that the trainer uses, and one architecture at a time.
//!
//! Usage: `cargo bench -p nas-core --bench prefix_tree [-- WIDTH]`, with width 8 by default. Of the single evaluations,
//! only every 81st is timed. `RAYON_NUM_THREADS` sets the number of threads.

use dfdx::tensor::{Cpu, SampleTensor};
use nas_core::network::{Network, NetworkSpec, Pass, PrefixTree};
use nas_core::space::{NasBenchMacro, Scale, SearchSpace};
use nas_core::streams::Streams;
use nas_ops::OpError;
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const ARCHS_PER_TREE: usize = 256;
const BATCHES: usize = 4;
const BATCH: usize = 250;
const EVERY: usize = 81;

fn main() -> Result<(), Box<dyn Error>> {
    let width = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(8);
    let space = NasBenchMacro::new(Scale { image: [32, 32, 3], classes: 10, width, cells: 1 });
    let device = Cpu::default();
    let spec = Arc::new(NetworkSpec::supernet(&space)?);
    let network = Network::new(spec.clone(), &device, 1, &Streams::new(0))?;
    let images = device.sample_normal_like(&(BATCH, 32, 32, 3));
    let mut archs: Vec<_> = (0..space.count()).map(|index| space.nth(index)).collect();
    archs.sort_unstable();
    let programs = archs.iter().map(|arch| spec.program(&space, arch)).collect::<Result<Vec<_>, _>>()?;

    let start = Instant::now();
    for chunk in programs.chunks(ARCHS_PER_TREE) {
        let tree = PrefixTree::new(chunk, &|_, _| 0);
        for _ in 0..BATCHES {
            network.infer_tree(images.clone(), &tree, None, |_, scores| {
                black_box(scores);
                Ok::<_, OpError>(true)
            })?;
        }
    }
    let tree = start.elapsed().as_secs_f64();

    let start = Instant::now();
    for program in programs.iter().step_by(EVERY) {
        for _ in 0..BATCHES {
            black_box(network.infer(images.clone(), program, &Pass::PLAIN)?);
        }
    }
    let timed = programs.len().div_ceil(EVERY);
    let single = start.elapsed().as_secs_f64() / timed as f64 * programs.len() as f64;
    println!("{} architectures, {} images, width {width}", programs.len(), BATCHES * BATCH);
    println!("prefix trees {tree:.1} s, one by one {single:.1} s (from {timed}), ratio {:.3}", tree / single);
    Ok(())
}
