//! Time of one forward and backward pass of each operation at batch size 64, in the sizes of the nasbench201 network.
//!
//! The variable `NAS_OPS_THREADS` sets the number of threads (default 1). Command-line options are those of criterion.

use criterion::Criterion;
use dfdx::prelude::*;
use nas_ops::{Activation, ConvSpec, CpuActivation, NormArgs, OpError, PoolKind, PoolSpec, Tensor4, UnitSpec, Window};
use std::{hint::black_box, time::Duration};

const BATCH: usize = 64;

type Images = Tensor4<Cpu>;
type Recorded = OwnedTape<f32, Cpu>;

fn random(device: &Cpu, dims: (usize, usize, usize, usize)) -> Images {
    device.sample_normal_like(&dims)
}

/// Computes the output and all gradients of one call. The gradient of the output is a copy of the output.
fn step(call: impl Fn(&mut Recorded) -> Result<Images, OpError>) {
    let mut tape = Recorded::default();
    let Ok(y) = call(&mut tape) else { return };
    let loss: Tensor<Rank0, f32, Cpu> = y.device().zeros();
    tape.add_backward_op(move |grads| {
        y.copy_into(grads.get_or_alloc_mut(&y)?);
        Ok(())
    });
    black_box(loss.put_tape(tape).try_backward().ok());
}

fn operations(criterion: &mut Criterion) {
    let device = Cpu::default();
    device.enable_cache();
    for (channels, size) in [(16, 32), (32, 16), (64, 8)] {
        let x = random(&device, (BATCH, size, size, channels));
        let mut bench = |name: &str, call: &dyn Fn(&mut Recorded) -> Result<Images, OpError>| {
            let name = format!("{name}/c{channels}_{size}x{size}");
            criterion.bench_function(&name, |bencher| bencher.iter(|| step(call)));
        };
        let units = [
            ("unit_3x3", Window::same(3, 1, 1), 1, channels),
            ("unit_1x1", Window::same(1, 1, 1), 1, channels),
            ("unit_3x3_stride2", Window::same(3, 2, 1), 1, 2 * channels),
            ("unit_depthwise_3x3", Window::same(3, 1, 1), channels, channels),
            ("unit_depthwise_5x5", Window::same(5, 1, 1), channels, channels),
        ];
        for (name, window, groups, outputs) in units {
            let [kh, kw] = window.kernel;
            let weight = random(&device, (kh, kw, channels / groups, outputs));
            let spec = UnitSpec { relu: true, conv: ConvSpec { window, groups } };
            bench(name, &|tape| {
                CpuActivation::from_tensor(&x, tape)?.unit(&weight, spec, NormArgs::BATCH, tape)?.0.to_tensor(tape)
            });
        }
        for (name, kind) in [("max_pool_3x3", PoolKind::Max), ("average_pool_3x3", PoolKind::Average)] {
            let spec = PoolSpec { kind, window: Window::same(3, 1, 1) };
            bench(name, &|tape| CpuActivation::from_tensor(&x, tape)?.pool2d(spec, tape)?.to_tensor(tape));
        }
        let factors = vec![1.25; x.shape().0];
        bench("scale_images", &|tape| {
            CpuActivation::from_tensor(&x, tape)?.scale_images(&factors, tape)?.to_tensor(tape)
        });
        bench("odd_pixels", &|tape| CpuActivation::from_tensor(&x, tape)?.odd_pixels(tape)?.to_tensor(tape));
        bench("batch_norm", &|tape| {
            CpuActivation::from_tensor(&x, tape)?.batch_norm(NormArgs::BATCH, tape)?.0.to_tensor(tape)
        });
        bench("sum_of_three", &|tape| {
            let terms = [(); 3].map(|()| CpuActivation::from_tensor(&x, tape));
            let terms = terms.into_iter().collect::<Result<Vec<_>, _>>()?;
            CpuActivation::sum(&terms.iter().collect::<Vec<_>>(), tape)?.to_tensor(tape)
        });
    }
}

/// Layers of the `macro` space at width 32: channels, image size, expansion ratio, kernel size and stride.
const INVERTED: [(usize, usize, usize, usize, usize); 4] =
    [(32, 32, 3, 3, 2), (32, 32, 6, 5, 2), (64, 16, 6, 5, 1), (128, 8, 6, 5, 1)];

fn inverted_residuals(criterion: &mut Criterion) {
    let device = Cpu::default();
    for (channels, size, expansion, kernel, stride) in INVERTED {
        let (hidden, outputs) = (expansion * channels, stride * channels);
        let x = random(&device, (BATCH, size, size, channels));
        let dims = [(1, 1, channels, hidden), (kernel, kernel, 1, hidden), (1, 1, hidden, outputs)];
        let weights = dims.map(|dims| random(&device, dims));
        let pointwise = ConvSpec { window: Window::same(1, 1, 1), groups: 1 };
        let depthwise = ConvSpec { window: Window::same(kernel, stride, 1), groups: hidden };
        let call = |tape: &mut Recorded| {
            let mut y = CpuActivation::from_tensor(&x, tape)?;
            for (weight, conv) in weights.iter().zip([pointwise, depthwise, pointwise]) {
                let spec = UnitSpec { relu: conv == depthwise, conv };
                y = y.unit(weight, spec, NormArgs::BATCH, tape)?.0;
            }
            y.to_tensor(tape)
        };
        let name = format!("inverted_residual_{kernel}x{kernel}_t{expansion}_stride{stride}/c{channels}_{size}x{size}");
        criterion.bench_function(&name, |bencher| bencher.iter(|| step(call)));
    }
}

fn main() {
    let threads = std::env::var("NAS_OPS_THREADS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    if let Err(error) = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global() {
        eprintln!("cannot start {threads} threads: {error}");
        return;
    }
    let (warm_up, measurement) = (Duration::from_millis(300), Duration::from_secs(1));
    let criterion = Criterion::default().sample_size(10).warm_up_time(warm_up).measurement_time(measurement);
    let mut criterion = criterion.configure_from_args();
    operations(&mut criterion);
    inverted_residuals(&mut criterion);
    criterion.final_summary();
}
