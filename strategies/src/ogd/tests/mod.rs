//! Proofs of the strategy: its matrices against the recursion of the paper, and its steps on real networks.

mod harness;
mod invariants;
mod layout;
mod network;
mod options;
mod proofs;
mod recursive;
mod runs;
mod state;

use super::evidence::Evidence;
use super::layout::{Layout, Tensor3};
use super::options::Samples;
use super::projector::{Matrices, Projector};
use dfdx::prelude::{Axes3, HasShape, PermuteTo, TryMatMul};
use dfdx::tensor::Cpu;
use nas_core::network::LayerKind;
use nas_ops::Tensor4;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A linear layer without its bias: one block of `d` inputs.
fn layout(d: usize) -> Layout {
    Layout::of(&LayerKind::Linear { c_in: d - 1, c_out: 3 }).unwrap()
}

/// The patches of all images together, `[blocks, n, inputs]`.
fn rows(layout: &Layout, x: &Tensor4<Cpu>, samples: Samples, stride: usize) -> Vec<f32> {
    let (_, h, w, c) = *x.shape();
    let seen = layout.seen(x.as_vec(), h * w * c, samples);
    let images: Vec<_> = seen.chunks(h * w * c).map(|image| layout.rows(image, [h, w, c], stride).unwrap()).collect();
    let block = |i: usize| images.iter().flat_map(move |rows| rows.chunks(rows.len() / layout.blocks).nth(i).unwrap());
    (0..layout.blocks).flat_map(block).copied().collect()
}

/// `n` random rows of `d`, that share a mean as inputs behind a ReLU do.
fn random_rows(n: usize, d: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n * d).map(|_| rng.random_range(-0.5_f32..1.0)).collect()
}

fn projector(rows: &[f32], d: usize, s: f64) -> Projector<Tensor3<Cpu>> {
    let evidence = Evidence::new(&layout(d), rows);
    Projector::new(&evidence, s).unwrap().into_device(&Cpu::default()).unwrap()
}

/// `P` of the first block, `[d, d]`, whatever its form.
fn dense(projector: &Projector<Tensor3<Cpu>>, d: usize) -> Vec<f64> {
    let mut identity: Vec<f64> = (0..d * d).map(|i| f64::from(u8::from(i % (d + 1) == 0))).collect();
    let gram = |x: &Tensor3<Cpu>| {
        let x = x.clone();
        f64s(&x.clone().permute::<_, Axes3<0, 2, 1>>().matmul(x).as_vec()[..d * d])
    };
    match &projector.matrices {
        Matrices::Identity => {}
        Matrices::Full(m) => identity = gram(m),
        Matrices::LowRank(v) => identity.iter_mut().zip(gram(v)).for_each(|(p, seen)| *p -= seen),
    }
    identity
}

/// The largest absolute difference of two matrices.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// `[m, k] x [k, n]`, written out.
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
