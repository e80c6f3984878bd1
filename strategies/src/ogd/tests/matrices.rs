//! Projectors against the recursion of the paper, their two forms, bounds and numerical limits.

use super::super::layout::MatrixLayout;
use super::super::linalg::{add_gram, inverse_factor};
use super::super::projector::{Projector, ProjectorMatrices};
use super::super::recorded_inputs::{PatchStorage, RecordedInputs};
use super::recursion::Recursion;
use super::{dense, distance, f64s, layout, norm, projector, random_rows, times};
use crate::test_device::test_device;
use dfdx::prelude::TensorFromVec;
use nas_core::network::LayerKind;
use nas_ops::{ConvSpec, Window};

#[test]
fn the_recursion_equals_both_closed_forms() {
    // With fewer samples than elements the projector has the low-rank form, with more the full form.
    for (n, d, alpha) in [(1, 7, 1.0), (5, 30, 0.1), (60, 30, 0.1), (300, 100, 3.0), (90, 100, 0.01)] {
        let rows = random_rows(n, d, 1);
        let mut recursion = Recursion::new(d);
        rows.chunks_exact(d).for_each(|r| recursion.add_sample(r, alpha));
        let closed = projector(&rows, d, 1.0 / alpha);
        assert_eq!(matches!(closed.matrices, ProjectorMatrices::LowRank(_)), n < d);
        let error = distance(&dense(&closed, d), &recursion.p);
        let largest = recursion.p.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        assert!(error <= 1e-4 * largest, "{n} samples of {d}: {error}");
        let trace: f64 = recursion.p.iter().step_by(d + 1).sum();
        assert!((closed.trace_ratio - trace / d as f64).abs() < 1e-9, "{n} samples of {d}");
    }
}

#[test]
fn the_low_rank_and_the_full_form_are_equal() {
    let (n, d, s) = (20, 60, 4.0);
    let rows = random_rows(n, d, 2);
    let low_rank = RecordedInputs::new(&layout(d), &rows);
    let mut with_gram = RecordedInputs::new(&layout(d), &rows[..d]);
    // Rows of zeros change no Gram matrix, but there are enough of them to make one.
    let zeros = RecordedInputs::new(&layout(d), &vec![0.0; d * d]);
    with_gram.add(RecordedInputs::new(&layout(d), &rows[d..]));
    with_gram.add(zeros);
    assert!(matches!((&low_rank.storage, &with_gram.storage), (PatchStorage::Rows(_), PatchStorage::Gram(_))));
    let device = test_device();
    let [a, b] = [low_rank, with_gram].map(|inputs| Projector::new(&inputs, s).unwrap().into_device(&device).unwrap());
    assert!(distance(&dense(&a, d), &dense(&b, d)) < 1e-6);
    let x = device.tensor_from_vec(random_rows(d, 4, 3), (1, d, 4));
    let [ax, bx] = [a, b].map(|p| f64s(&p.apply(x.clone()).unwrap().as_vec()));
    assert!(distance(&ax, &bx) < 1e-5);
}

#[test]
fn each_group_has_its_own_projector() {
    // Three groups of 18 inputs and 4 outputs.
    let (blocks, d, outputs, s) = (3, 18, 4, 2.0);
    let conv = ConvSpec { window: Window::same(3, 1, 1), groups: blocks };
    let kind = LayerKind::Conv { relu: false, conv, c_in: 6, c_out: 12, norm: None };
    let grouped = MatrixLayout::of(&kind).unwrap();
    let device = test_device();
    for n in [5, 40] {
        let rows = random_rows(blocks * n, d, 11);
        let x = random_rows(blocks * d, outputs, 12);
        let whole = Projector::new(&RecordedInputs::new(&grouped, &rows), s).unwrap().into_device(&device).unwrap();
        let y = whole.apply(device.tensor_from_vec(x.clone(), (blocks, d, outputs))).unwrap().as_vec();
        let mut traces = 0.0;
        for block in 0..blocks {
            let part = projector(&rows[block * n * d..][..n * d], d, s);
            let x = x[block * d * outputs..][..d * outputs].to_vec();
            let expected = part.apply(device.tensor_from_vec(x, (1, d, outputs))).unwrap().as_vec();
            let found = &y[block * d * outputs..][..d * outputs];
            assert!(distance(&f64s(found), &f64s(&expected)) < 1e-6, "{n} samples, group {block}");
            traces += part.trace_ratio / blocks as f64;
        }
        assert!((whole.trace_ratio - traces).abs() < 1e-12, "{n} samples");
    }
}

#[test]
fn inverse_factor_inverts_and_rejects_indefinite_matrices() {
    for n in [1, 2, 47, 48, 49, 130, 201] {
        let mut a = vec![0.0; n * n];
        add_gram(&mut a, &f64s(&random_rows(n, n, 4)), n);
        let m = inverse_factor(&a, n, 0.5).unwrap();
        let element = |i: usize, j: usize| 0.5 * a[i.max(j) * n + i.min(j)] + f64::from(u8::from(i == j));
        let whole: Vec<f64> = (0..n * n).map(|at| element(at / n, at % n)).collect();
        let inverse: Vec<f64> = (0..n * n).map(|at| (0..n).map(|k| m[(k, at / n)] * m[(k, at % n)]).sum()).collect();
        assert!(distance(&times(&whole, &inverse, n), &Recursion::new(n).p) < 1e-9, "{n}");
        for invalid in [-5.0, f64::NAN, f64::NEG_INFINITY] {
            a[n * n - 1] = invalid;
            assert!(inverse_factor(&a, n, 0.5).is_none(), "{n} {invalid}");
        }
    }
}

#[test]
fn the_change_of_recorded_outputs_is_within_the_bound() {
    // The singular values of R P are sigma alpha / (alpha + sigma^2): at most sqrt(alpha) / 2 and at most alpha /
    // sigma.
    let (d, c) = (40, 6);
    let gradient = f64s(&random_rows(d, c, 5));
    for n in [10, 80] {
        let rows = random_rows(n, d, 6);
        let mut last = f64::INFINITY;
        for alpha in [100.0, 1.0, 1e-2, 1e-4] {
            let p = dense(&projector(&rows, d, 1.0 / alpha), d);
            let change = norm(&times(&f64s(&rows), &times(&p, &gradient, d), d));
            let bound = alpha.sqrt() / 2.0 * norm(&gradient);
            assert!(change <= bound * (1.0 + 1e-4), "{n} samples, alpha {alpha}: {change} > {bound}");
            assert!(change < last, "{n} samples, alpha {alpha}");
            last = change;
        }
    }
}

#[test]
fn a_tiny_alpha_leaves_unused_directions_unchanged() {
    let d = 30;
    let rows = random_rows(12, d, 7);
    for s in [1e9, 1e15, 1e40, 1e300, f64::MAX, f64::INFINITY] {
        let p = projector(&rows, d, s);
        assert!((p.trace_ratio - 18.0 / 30.0).abs() < 1e-3, "s {s}: {}", p.trace_ratio);
    }
    // The Gram matrix of these 60 samples has rank 12 of 30, so it has no inverse.
    let repeated = [&rows[..], &rows, &rows, &rows, &rows].concat();
    for s in [1e9, 1e20, f64::INFINITY] {
        let p = projector(&repeated, d, s);
        assert!(matches!(p.matrices, ProjectorMatrices::Full(_)));
        assert!((p.trace_ratio - 18.0 / 30.0).abs() < 1e-3, "s {s}: {}", p.trace_ratio);
        assert_eq!(p.alpha_increase > 1.0, s > 1e19, "s {s}");
    }
}

#[test]
fn a_huge_alpha_gives_the_identity() {
    let d = 20;
    let rows = random_rows(50, d, 8);
    let trace = RecordedInputs::new(&layout(d), &rows).trace();
    assert!(matches!(projector(&rows, d, 1e-8 / trace).matrices, ProjectorMatrices::Identity));
    let p = projector(&rows, d, 1e-3 / trace);
    let device = test_device();
    let x = f64s(&random_rows(d, 3, 9));
    let px = p.apply(device.tensor_from_vec(random_rows(d, 3, 9), (1, d, 3))).unwrap();
    assert!(distance(&f64s(&px.as_vec()), &x) <= 1e-3 * norm(&x));
}

#[test]
fn zero_inputs_give_the_identity_and_infinite_inputs_an_error() {
    assert!(matches!(projector(&[0.0; 40], 20, 0.0).matrices, ProjectorMatrices::Identity));
    for bad in [f32::NAN, f32::INFINITY] {
        let inputs = RecordedInputs::new(&layout(4), &[1.0, bad, 0.0, 1.0]);
        let error = Projector::new(&inputs, 1.0).unwrap_err().to_string();
        assert!(error.starts_with("ogd: expected finite inputs of every layer"), "{error}");
    }
}

#[test]
fn the_number_of_threads_does_not_change_bits() {
    let (n, d) = (500, 150);
    let rows = random_rows(n, d, 10);
    let answers = [1, 2, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (dense(&projector(&rows, d, 0.1), d), dense(&projector(&rows[..90 * d], d, 0.1), d)))
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[test]
fn the_recursion_shrinks_used_directions_without_limit() {
    // The weakness of the accumulated rule, shown with a single sample that repeats.
    let mut recursion = Recursion::new(2);
    for _ in 0..999 {
        recursion.add_sample(&[1.0, 0.0], 1.0);
    }
    assert!((recursion.p[0] - 1e-3).abs() < 1e-9 && recursion.p[3] == 1.0);
}
