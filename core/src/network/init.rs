//! Initial weights.

use super::{ParamSpec, Role};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// PyTorch's defaults: weights and biases uniform in `+-1 / sqrt(fan_in)`, scale 1, shift 0.
///
/// `fan_in` is what one output sums over: `kh kw c_in / groups`, for a bias that of its layer's weight.
pub(super) fn initial(param: &ParamSpec, fan_in: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let bound = 1.0 / (fan_in.max(1) as f32).sqrt();
    match param.role {
        Role::Weight | Role::Bias => (0..param.len()).map(|_| rng.random_range(-bound..=bound)).collect(),
        Role::Scale => vec![1.0; param.len()],
        Role::Shift => vec![0.0; param.len()],
    }
}
