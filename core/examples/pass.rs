//! Times whole training passes of a supernet: forward, backward, clipping and SGD, on random images and architectures.
//!
//! `cargo run --release -p nas-core --example pass -- SPACE WIDTH CELLS BATCH THREADS [ARCHS]`, for instance
//! `nasbench201 16 1 64 2`. Prints the best of two rounds over 40 architectures, as `core/benches/pytorch_baseline.py` does,
//! and the peak of resident memory.

use dfdx::prelude::*;
use nas_core::network::{Network, NetworkSpec, Pass};
use nas_core::optimizer::Sgd;
use nas_core::registry::{self, SpaceDescriptor};
use nas_core::space::{Scale, SearchSpace};
use nas_core::strategy::ParamStep;
use nas_core::streams::Streams;
use nas_core::trainer::peak_rss_mb;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: usize| args.get(i).map_or(Ok(default), |text| text.parse());
    let name = args.first().map_or("nasbench201", String::as_str);
    let (width, cells, batch, threads) = (number(1, 16)?, number(2, 1)?, number(3, 64)?, number(4, 2)?);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let scale = Scale { image: [32, 32, 3], classes: 10, width, cells };
    let space = (registry::find::<SpaceDescriptor>(name)?.build)(scale)?;
    let mut training = Training::new(&*space, batch)?;

    let mut rng = Streams::new(0).rng("architectures", 0);
    let archs = (0..number(5, 40)?).map(|_| space.sample(&mut rng)).collect::<Vec<_>>();
    archs.iter().take(5).try_for_each(|arch| training.step(&*space, arch))?;
    let mut best = f64::INFINITY;
    for _ in 0..2 {
        let start = Instant::now();
        archs.iter().try_for_each(|arch| training.step(&*space, arch))?;
        best = best.min(start.elapsed().as_secs_f64() / archs.len() as f64);
    }
    let memory = peak_rss_mb().unwrap_or(f64::NAN);
    println!("{name} {width},{cells},{batch} threads {threads}: {:.2} ms/step, peak {memory:.0} MiB", best * 1e3);
    Ok(())
}

/// A supernet, its optimizer and one batch.
struct Training {
    spec: Arc<NetworkSpec>,
    network: Network<Cpu>,
    optimizer: Sgd<Cpu>,
    images: Tensor<(usize, usize, usize, usize), f32, Cpu>,
    labels: Tensor<(usize, usize), f32, Cpu>,
}

impl Training {
    fn new(space: &dyn SearchSpace, batch: usize) -> Result<Self, Box<dyn Error>> {
        let device = Cpu::seed_from_u64(0);
        let spec = Arc::new(NetworkSpec::supernet(space)?);
        let network = Network::new(spec.clone(), &device, 1, &Streams::new(0))?;
        let labels = (0..batch * 10).map(|i| if i / 10 % 10 == i % 10 { 1.0 } else { 0.0 }).collect();
        Ok(Self {
            optimizer: Sgd::new(0.9, true, 5e-4, 5.0, network.params().len()),
            images: device.sample_normal_like(&(batch, 32, 32, 3)),
            labels: device.tensor_from_vec(labels, (batch, 10)),
            spec,
            network,
        })
    }

    /// One pass of one architecture, and the update of its weights.
    fn step(&mut self, space: &dyn SearchSpace, arch: &nas_core::arch::Arch) -> Result<(), Box<dyn Error>> {
        let program = self.spec.program(space, arch)?;
        let mut tape = OwnedTape::default();
        let scores = self.network.forward(self.images.clone(), &program, &Pass::PLAIN, &mut tape)?.scores;
        let failed = |error| format!("{error:?}");
        let scores = scores.put_tape(tape).try_reshape_like(self.labels.shape()).map_err(failed)?;
        let loss = cross_entropy_with_logits_loss(scores, self.labels.clone());
        let mut gradients = loss.try_backward().map_err(failed)?;
        let mut params = Vec::new();
        for &layer in &program.layers {
            for param in self.spec.layers[layer].params.clone() {
                let weight = self.network.params()[param].clone();
                gradients.try_alloc_for(&weight).map_err(failed)?;
                let (role, gradient) = (self.spec.params[param].role, gradients.get(&weight));
                params.push(ParamStep { param, set: 0, layer, role, weight, gradient, update: None });
            }
        }
        self.optimizer.prepare(&mut params, 0.025, |param| param.param)?;
        for ParamStep { param, weight, update, .. } in params {
            if let Some(update) = update {
                self.network.set_param(param, weight.try_add(update).map_err(failed)?);
            }
        }
        Ok(())
    }
}
