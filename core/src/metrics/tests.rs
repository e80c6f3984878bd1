//! Data that several tests share with their SciPy snippets.

/// The first values of `lcg_pair().0`, so that a wrong generator is seen before a wrong metric.
pub(crate) const LCG_X: [f64; 4] = [14.0, 33.0, 36.0, 30.0];

/// `a` and `b` of the snippet above `kendall::tests::equals_scipy_on_many_ties`.
pub(crate) fn lcg_pair() -> (Vec<f64>, Vec<f64>) {
    let a = lcg(500, 40, 1);
    let b = a.iter().zip(lcg(500, 60, 2)).map(|(a, b)| a + b).collect();
    (a, b)
}

fn lcg(n: usize, modulus: u64, mut state: u64) -> Vec<f64> {
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) % modulus) as f64
        })
        .collect()
}
