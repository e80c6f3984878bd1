//! `nas-train` with one more controller, as a crate that depends on nas-cli would build it. The tests run this program:
//! it is the same in everything else.

use nas_core::arch::Arch;
use nas_core::controller::{Controller, ControllerError};
use nas_core::registry::ControllerDescriptor;
use nas_core::space::SearchSpace;
use rand_chacha::ChaCha8Rng;
use std::process::ExitCode;
use std::sync::Arc;

/// Believes in the last architecture of the space, asks for two rewards an epoch and remembers the latest.
struct Last {
    space: Arc<dyn SearchSpace>,
    reward: f64,
}

impl Controller for Last {
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

    fn telemetry(&self) -> Vec<(String, f64)> {
        vec![("latest".into(), self.reward)]
    }
}

inventory::submit! {
    ControllerDescriptor {
        name: "last",
        summary: "always the last architecture",
        reference: "these tests",
        options: String::new,
        build: |_, context| Ok(Box::new(Last { space: context.space, reward: 0.0 })),
    }
}

fn main() -> ExitCode {
    nas_cli::main(std::env::args_os())
}
