//! Tests of `ogd`: its matrices against the recursion of the paper, its steps on a small supernet, and whole runs.

mod harness;
mod invariants;
mod matrices;
mod matrix_layout;
mod options;
mod recording;
mod recursion;
mod runs;
mod state;
mod steps;

use super::layout::{MatrixLayout, Tensor3};
use super::options::SampleSelection;
use super::projector::{Projector, ProjectorMatrices};
use super::recorded_inputs::RecordedInputs;
use crate::test_device::{TestDevice, test_device};
use dfdx::prelude::{Axes3, HasShape, PermuteTo, TryMatMul};
use nas_core::network::LayerKind;
use nas_ops::Tensor4;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The layout of a linear layer with `d` inputs, the constant of its bias included.
fn layout(d: usize) -> MatrixLayout {
    MatrixLayout::of(&LayerKind::Linear { c_in: d - 1, c_out: 3 }).unwrap()
}

/// The recorded patches of all selected images, `[blocks, n, d]`.
fn rows(layout: &MatrixLayout, x: &Tensor4<TestDevice>, samples: SampleSelection, stride: usize) -> Vec<f32> {
    let (_, h, w, c) = *x.shape();
    let selected = layout.select_images(x.as_vec(), h * w * c, samples);
    let images: Vec<_> =
        selected.chunks(h * w * c).map(|image| layout.patch_rows(image, [h, w, c], stride).unwrap()).collect();
    let block = |i: usize| images.iter().flat_map(move |rows| rows.chunks(rows.len() / layout.blocks).nth(i).unwrap());
    (0..layout.blocks).flat_map(block).copied().collect()
}

/// Random rows, `[n, d]`, with a mean above 0 like that of inputs after a ReLU.
fn random_rows(n: usize, d: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n * d).map(|_| rng.random_range(-0.5_f32..1.0)).collect()
}

fn projector(rows: &[f32], d: usize, s: f64) -> Projector<Tensor3<TestDevice>> {
    let inputs = RecordedInputs::new(&layout(d), rows);
    Projector::new(&inputs, s).unwrap().into_device(&test_device()).unwrap()
}

/// `P` of the first block as a matrix `[d, d]`.
fn dense(projector: &Projector<Tensor3<TestDevice>>, d: usize) -> Vec<f64> {
    let mut identity: Vec<f64> = (0..d * d).map(|i| f64::from(u8::from(i % (d + 1) == 0))).collect();
    let gram = |x: &Tensor3<TestDevice>| {
        let x = x.clone();
        f64s(&x.clone().permute::<_, Axes3<0, 2, 1>>().matmul(x).as_vec()[..d * d])
    };
    match &projector.matrices {
        ProjectorMatrices::Identity => {}
        ProjectorMatrices::Full(m) => identity = gram(m),
        ProjectorMatrices::LowRank(v) => identity.iter_mut().zip(gram(v)).for_each(|(p, removed)| *p -= removed),
    }
    identity
}

/// The largest absolute difference of two matrices.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The matrix product `[m, k] x [k, n]`.
fn times(a: &[f64], b: &[f64], k: usize) -> Vec<f64> {
    let n = b.len() / k;
    let element = |i: usize, j: usize| (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
    (0..a.len() / k).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| element(i, j)).collect()
}

fn norm(a: &[f64]) -> f64 {
    a.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn f64s(a: &[f32]) -> Vec<f64> {
    a.iter().copied().map(f64::from).collect()
}
