//! Drop path: the random removal of edges of a network, for each image.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::cell::RefCell;

/// The random factors of drop path in one training step (Larsson et al., FractalNet, ICLR 2017; per image as in DARTS).
///
/// With probability `p`, an image of an edge's output is replaced by zeros. The others are divided by `1 - p`, so the
/// expected value does not change.
#[derive(Debug)]
pub struct DropPath {
    /// The probability `p`, in `[0, 1)`.
    probability: f64,
    rng: RefCell<ChaCha8Rng>,
}

impl DropPath {
    /// Factors for one step. Each instruction of the program draws its own, in the order of the program.
    pub fn new(probability: f64, rng: ChaCha8Rng) -> Self {
        Self { probability, rng: RefCell::new(rng) }
    }

    /// The factors of `n` images: 0 with probability `p`, else `1 / (1 - p)`.
    pub(super) fn factors(&self, n: usize) -> Vec<f32> {
        let mut rng = self.rng.borrow_mut();
        let kept = (1.0 / (1.0 - self.probability)) as f32;
        (0..n).map(|_| if rng.random_bool(self.probability) { 0.0 } else { kept }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn the_mean_factor_is_one() {
        let drop_path = DropPath::new(0.3, ChaCha8Rng::seed_from_u64(0));
        let factors = drop_path.factors(100_000);
        let mean = factors.iter().sum::<f32>() / factors.len() as f32;
        // Standard deviation of the mean: sqrt(0.3 / 0.7 / 100,000) = 0.002.
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        assert!(factors.iter().all(|factor| *factor == 0.0 || (*factor - 1.0 / 0.7).abs() < 1e-6));
        assert_ne!(drop_path.factors(100), factors[..100]);
    }
}
