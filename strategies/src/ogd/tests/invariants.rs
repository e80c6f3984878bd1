//! Properties of the projector for random inputs.

use super::{dense, distance, f64s, norm, projector, random_rows, times};
use proptest::prelude::*;

/// The largest and the smallest eigenvalue of a symmetric matrix with eigenvalues in `[0, 1]`, by power iteration on
/// `P` and on `2 I - P`.
fn extreme_eigenvalues(p: &[f64], d: usize) -> (f64, f64) {
    let largest = |matrix: &[f64]| {
        let mut x: Vec<f64> = (0..d).map(|i| 1.0 + (i as f64).sin()).collect();
        let mut value = 0.0;
        for _ in 0..300 {
            let y = times(matrix, &x, d);
            value = norm(&y) / norm(&x);
            let length = norm(&y).max(1e-300);
            x = y.iter().map(|v| v / length).collect();
        }
        value
    };
    let shifted: Vec<f64> = (0..d * d).map(|i| f64::from(u8::from(i % (d + 1) == 0)) * 2.0 - p[i]).collect();
    (largest(p), 2.0 - largest(&shifted))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn p_is_symmetric_with_eigenvalues_in_zero_to_one(
        n in 1_usize..60, d in 2_usize..50, seed in any::<u64>(), exponent in -3.0_f64..3.0,
    ) {
        let p = dense(&projector(&random_rows(n, d, seed), d, 10_f64.powf(exponent)), d);
        for i in 0..d {
            for j in 0..i {
                prop_assert!((p[i * d + j] - p[j * d + i]).abs() <= 1e-6);
            }
        }
        let (largest, smallest) = extreme_eigenvalues(&p, d);
        prop_assert!(largest <= 1.0 + 1e-5, "largest {}", largest);
        prop_assert!(smallest >= -1e-5, "smallest {}", smallest);
    }

    #[test]
    fn additional_samples_never_increase_an_eigenvalue(
        n in 1_usize..60, more in 1_usize..30, d in 2_usize..40, seed in any::<u64>(), s in 0.01_f64..100.0,
    ) {
        let rows = random_rows(n + more, d, seed);
        let (few, many) = (projector(&rows[..n * d], d, s), projector(&rows, d, s));
        prop_assert!(many.trace_ratio > 0.0 && many.trace_ratio <= few.trace_ratio);
        // If x^T P x decreases for every x, no eigenvalue increases.
        let x = f64s(&random_rows(1, d, seed ^ 1));
        let form = |p: &[f64]| times(&x, &times(p, &x, d), d)[0];
        prop_assert!(form(&dense(&many, d)) <= form(&dense(&few, d)) + 1e-5 * norm(&x).powi(2));
    }

    #[test]
    fn the_order_of_samples_does_not_matter(
        n in 2_usize..80, d in 2_usize..40, seed in any::<u64>(), cut in 1_usize..79, s in 0.01_f64..100.0,
    ) {
        let rows = random_rows(n, d, seed);
        let cut = cut.min(n - 1) * d;
        let rotated = [&rows[cut..], &rows[..cut]].concat();
        let [a, b] = [rows, rotated].map(|rows| dense(&projector(&rows, d, s), d));
        prop_assert!(distance(&a, &b) <= 1e-5);
    }
}
