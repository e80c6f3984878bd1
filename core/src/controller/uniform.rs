//! Random search: every architecture is equally likely, and rewards are not used.

use super::{Controller, ControllerContext, ControllerDescriptor, ControllerError, distinct};
use crate::arch::Arch;
use crate::options::parse_options;
use crate::space::SearchSpace;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Draws architectures uniformly. Random search is the baseline of all other controllers.
pub struct Uniform {
    space: Arc<dyn SearchSpace>,
}

/// `uniform` has no options.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {}

impl Uniform {
    /// Random search over a space.
    pub fn new(space: Arc<dyn SearchSpace>) -> Self {
        Self { space }
    }
}

impl Controller for Uniform {
    fn independent_samples(&self) -> usize {
        usize::MAX
    }

    fn sample(&mut self, rng: &mut ChaCha8Rng) -> Result<Arch, ControllerError> {
        Ok(self.space.sample(rng))
    }

    fn propose(&mut self, n: usize, rng: &mut ChaCha8Rng) -> Result<Vec<Arch>, ControllerError> {
        distinct(Vec::new(), n, || self.sample(rng))
    }
}

inventory::submit! {
    ControllerDescriptor {
        name: "uniform",
        summary: "random search: selects the best of a uniform sample",
        reference: "baseline of all controllers",
        options: || crate::options::example(&Options::default()),
        build: |options, context: ControllerContext| {
            parse_options::<Options>("controller", options)?;
            Ok(Box::new(Uniform::new(context.space)))
        },
    }
}
