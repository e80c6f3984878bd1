//! The optimizer Adam on host vectors.

const BETAS: [f64; 2] = [0.9, 0.999];
const EPS: f64 = 1e-8;

/// Adam as defined by PyTorch, with `weight_decay`: `g = gradient + decay w`,
/// `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`, `w -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)`.
///
/// The policy is small, so host vectors are fast enough, and the moments can be saved without a copy from a device.
/// Updates run in element order: the same gradients give the same bits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Adam {
    lr: f64,
    decay: f64,
    /// Number of updates so far.
    pub(super) steps: u64,
    /// Moving averages of the gradients (`m`) and of their squares (`v`), for each parameter.
    pub(super) moments: [Vec<Vec<f32>>; 2],
}

impl Adam {
    /// Creates the optimizer for parameters of these lengths.
    pub(super) fn new(lr: f64, decay: f64, lengths: &[usize]) -> Self {
        let zeros = || lengths.iter().map(|n| vec![0.0; *n]).collect();
        Self { lr, decay, steps: 0, moments: [zeros(), zeros()] }
    }

    /// Starts the next update. The following calls of [`update`](Self::update) belong to it.
    pub(super) fn next_step(&mut self) {
        self.steps += 1;
    }

    /// Updates parameter `k` by its gradient.
    pub(super) fn update(&mut self, k: usize, weights: &mut [f32], gradient: &[f64]) {
        let t = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let [rest1, rest2] = BETAS.map(|beta| 1.0 - beta.powi(t));
        let [m, v] = &mut self.moments;
        for ((w, g), (m, v)) in weights.iter_mut().zip(gradient).zip(m[k].iter_mut().zip(&mut v[k])) {
            let g = g + self.decay * f64::from(*w);
            *m = (BETAS[0] * f64::from(*m) + (1.0 - BETAS[0]) * g) as f32;
            *v = (BETAS[1] * f64::from(*v) + (1.0 - BETAS[1]) * g * g) as f32;
            let step = f64::from(*m) / rest1 / ((f64::from(*v) / rest2).sqrt() + EPS);
            *w = (f64::from(*w) - self.lr * step) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first step has size `lr` and the opposite sign of `g + decay w`. The second step is computed by hand from
    /// the equations of [`Adam`].
    #[test]
    fn it_follows_the_equations() {
        let mut adam = Adam::new(0.1, 0.01, &[2]);
        let mut w = [1.0, -2.0];
        adam.next_step();
        adam.update(0, &mut w, &[0.5, 0.0]);
        assert!((w[0] - 0.9).abs() < 1e-6 && (w[1] + 1.9).abs() < 1e-6, "{w:?}");

        adam.next_step();
        adam.update(0, &mut w, &[-1.0, 0.25]);
        let by_hand = |w: f64, first: f64, second: f64| {
            let m = (0.09 * first + 0.1 * second) / 0.19;
            let v = (0.000_999 * first * first + 0.001 * second * second) / 0.001_999;
            w - 0.1 * m / v.sqrt()
        };
        let expected = [by_hand(0.9, 0.51, -0.991), by_hand(-1.9, -0.02, 0.231)];
        assert!(w.iter().zip(expected).all(|(w, e)| (f64::from(*w) - e).abs() < 1e-5), "{w:?} {expected:?}");
    }
}
