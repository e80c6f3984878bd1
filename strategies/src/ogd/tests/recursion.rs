//! The recursion of equation 8, the reference for the closed form.

/// `P`, updated sample by sample.
pub struct Recursion {
    /// `P`, `[d, d]`.
    pub p: Vec<f64>,
    d: usize,
}

impl Recursion {
    /// `P = I`, before the first sample.
    pub fn new(d: usize) -> Self {
        Self { p: (0..d * d).map(|i| f64::from(u8::from(i % (d + 1) == 0))).collect(), d }
    }

    /// Adds a sample `r`: `k = P r; P -= k k^T / (alpha + r^T k)`.
    pub fn add_sample(&mut self, r: &[f32], alpha: f64) {
        let r: Vec<f64> = r.iter().copied().map(f64::from).collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let k: Vec<f64> = self.p.chunks_exact(self.d).map(|row| dot(row, &r)).collect();
        let scale = 1.0 / (alpha + dot(&r, &k));
        for (row, ki) in self.p.chunks_exact_mut(self.d).zip(&k) {
            row.iter_mut().zip(&k).for_each(|(p, kj)| *p -= scale * ki * kj);
        }
    }
}
