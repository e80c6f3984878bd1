//! `nas-train` with an additional controller, built as a crate that depends on `nas-cli`. The tests run this program.

use nas_core::arch::Arch;
use nas_core::controller::{Controller, ControllerError};
use nas_core::registry::ControllerDescriptor;
use nas_core::space::SearchSpace;
use rand_chacha::ChaCha8Rng;
use std::process::ExitCode;
use std::sync::Arc;

/// A controller that always proposes the last architecture of the space. It takes two rewards per epoch.
struct LastArchitecture {
    space: Arc<dyn SearchSpace>,
    reward: f64,
}

impl Controller for LastArchitecture {
    fn samples_per_epoch(&self) -> usize {
        2
    }

    fn sample(&mut self, _: &mut ChaCha8Rng) -> Result<Arch, ControllerError> {
        Ok(self.space.nth(self.space.count() - 1))
    }

    fn observe(&mut self, _: &Arch, reward: f64) -> Result<(), ControllerError> {
        self.reward = reward;
        Ok(())
    }

    fn propose(&mut self, _: usize, rng: &mut ChaCha8Rng) -> Result<Vec<Arch>, ControllerError> {
        Ok(vec![self.sample(rng)?])
    }

    fn metrics(&self) -> Vec<(String, f64)> {
        vec![("latest".into(), self.reward)]
    }
}

inventory::submit! {
    ControllerDescriptor {
        name: "last",
        summary: "always the last architecture",
        reference: "these tests",
        options: String::new,
        build: |_, context| Ok(Box::new(LastArchitecture { space: context.space, reward: 0.0 })),
    }
}

fn main() -> ExitCode {
    nas_cli::main(std::env::args_os())
}
