//! A hill-climbing controller: it tries neighbours of the best architecture so far.

use nas_core::arch::Arch;
use nas_core::controller::{Controller, ControllerError};
use nas_core::registry::ControllerDescriptor;
use nas_core::space::SearchSpace;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Controller that changes one decision of the best architecture at a time.
struct Climber {
    space: Arc<dyn SearchSpace>,
    /// Every evaluated architecture with its latest reward.
    rewards: Vec<(Arch, f64)>,
}

impl Climber {
    fn best(&self) -> Option<&Arch> {
        self.rewards.iter().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(arch, _)| arch)
    }
}

impl Controller for Climber {
    fn samples_per_epoch(&self) -> usize {
        8
    }

    /// The best architecture with one decision drawn again, or a uniform sample before the first reward.
    fn sample(&mut self, rng: &mut ChaCha8Rng) -> Result<Arch, ControllerError> {
        let Some(best) = self.best() else { return Ok(self.space.sample(rng)) };
        let mut choices = best.choices().to_vec();
        let decision = rng.random_range(0..choices.len());
        choices[decision] = rng.random_range(0..self.space.decisions()[decision].choices.len());
        Ok(Arch::new(choices))
    }

    fn observe(&mut self, arch: &Arch, reward: f64) -> Result<(), ControllerError> {
        self.rewards.retain(|(known, _)| known != arch);
        self.rewards.push((arch.clone(), reward));
        Ok(())
    }

    fn propose(&mut self, n: usize, rng: &mut ChaCha8Rng) -> Result<Vec<Arch>, ControllerError> {
        if self.rewards.is_empty() {
            return Ok(vec![self.space.sample(rng)]);
        }
        let mut ranked = self.rewards.clone();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(ranked.into_iter().map(|(arch, _)| arch).take(n).collect())
    }
}

inventory::submit! {
    ControllerDescriptor {
        name: "climber",
        summary: "neighbours of the best architecture so far",
        reference: "this example",
        options: String::new,
        build: |_, context| Ok(Box::new(Climber { space: context.space, rewards: Vec::new() })),
    }
}
