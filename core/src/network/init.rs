//! Initial values of parameters.

use super::{ParamSpec, Role};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Draws the initial values of a parameter by PyTorch's defaults: weights and biases are uniform in
/// `+-1 / sqrt(fan_in)`, scales are 1 and shifts 0.
///
/// `fan_in` is the number of products that one output sums: `kh kw c_in / groups`. A bias uses the `fan_in` of the
/// weight of its layer.
pub(super) fn initial(param: &ParamSpec, fan_in: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let bound = 1.0 / (fan_in.max(1) as f32).sqrt();
    match param.role {
        Role::Weight | Role::Bias => (0..param.len()).map(|_| rng.random_range(-bound..=bound)).collect(),
        Role::Scale => vec![1.0; param.len()],
        Role::Shift => vec![0.0; param.len()],
    }
}
