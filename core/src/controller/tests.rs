//! Helpers for the tests of controllers: small searches with known rewards.

use super::{Controller, ControllerContext, ControllerError};
use crate::arch::Arch;
use crate::registry::{ControllerDescriptor, find};
use crate::space::{Darts, NasBench201, Scale, SearchSpace, Tiny};
use crate::streams::Streams;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

const SCALE: Scale = Scale { image: [16, 16, 3], classes: 10, width: 8, cells: 1 };

/// The space `tiny` of nine architectures.
pub(super) fn tiny() -> Arc<dyn SearchSpace> {
    Arc::new(Tiny::new(SCALE))
}

/// The space `nasbench201`: six decisions with five choices each.
pub(super) fn nasbench201() -> Arc<dyn SearchSpace> {
    Arc::new(NasBench201::new(SCALE))
}

/// The space `darts`: 24 decisions, of which eight are about topology.
pub(super) fn darts() -> Arc<dyn SearchSpace> {
    Arc::new(Darts::new(Scale { cells: 8, ..SCALE }))
}

/// Builds a controller as a run does; also returns its random stream for draws.
pub(super) fn build(
    name: &str,
    options: &str,
    space: Arc<dyn SearchSpace>,
    seed: u64,
) -> Result<(Box<dyn Controller>, ChaCha8Rng), ControllerError> {
    let streams = Streams::new(seed);
    let context = ControllerContext { space, rng: streams.rng("controller weights", 0) };
    let build = find::<ControllerDescriptor>(name).unwrap().build;
    Ok((build(&options.parse().unwrap(), context)?, streams.rng("controller", 0)))
}

/// Rewards of the nine architectures of [`tiny`], with mean 0.5. The best architecture, 12, takes neither the first
/// choice that is best on average (2) nor the second choice that is (0). This makes it hard to find for a policy of
/// independent decisions.
const REWARDS: [[f64; 3]; 3] = [[0.50, 0.40, 0.30], [0.45, 0.35, 0.80], [0.65, 0.65, 0.40]];

/// The best architecture by [`reward`].
pub(super) fn best() -> Arch {
    Arch::new([1, 2])
}

/// The known reward of an architecture of [`tiny`].
pub(super) fn reward(arch: &Arch) -> f64 {
    REWARDS[arch.choices()[0]][arch.choices()[1]]
}

/// Trains a controller with `samples` samples and returns their rewards.
pub(super) fn learn(
    controller: &mut dyn Controller,
    rng: &mut ChaCha8Rng,
    samples: usize,
    reward: impl Fn(&Arch) -> f64,
) -> Vec<f64> {
    let one = |_| {
        let arch = controller.sample(rng).unwrap();
        controller.observe(&arch, reward(&arch)).unwrap();
        reward(&arch)
    };
    (0..samples).map(one).collect()
}

/// Mean reward of `samples` new samples.
pub(super) fn mean_reward(
    controller: &mut dyn Controller,
    rng: &mut ChaCha8Rng,
    samples: usize,
    reward: impl Fn(&Arch) -> f64,
) -> f64 {
    (0..samples).map(|_| reward(&controller.sample(rng).unwrap())).sum::<f64>() / samples as f64
}

/// Trains a controller, loads its saved state into a second one, and trains both further: all draws must agree.
pub(super) fn a_loaded_controller_continues_equally(name: &str, options: &str, before: usize) {
    let (mut first, mut rng) = build(name, options, tiny(), 3).unwrap();
    learn(first.as_mut(), &mut rng, before, reward);
    let state = first.save().unwrap();
    // Through JSON, as a checkpoint stores it, and into a controller of other initial weights.
    let json = serde_json::to_string(&state.values).unwrap();
    let state = crate::state::State { values: serde_json::from_str(&json).unwrap(), ..state };
    let (mut second, _) = build(name, options, tiny(), 4).unwrap();
    second.load(&state).unwrap();
    assert_eq!(second.save().unwrap(), state);
    assert_eq!(first.metrics(), second.metrics());

    let mut same = rng.clone();
    assert_eq!(learn(first.as_mut(), &mut rng, 40, reward), learn(second.as_mut(), &mut same, 40, reward));
    assert_eq!(first.save().unwrap(), second.save().unwrap());
    assert_eq!(first.propose(5, &mut rng).unwrap(), second.propose(5, &mut same).unwrap());
}
