//! Controllers: which architecture to look at next, learned from rewards or not.

mod descriptor;
mod evolution;
mod reinforce;
mod saved;
#[cfg(test)]
mod test_arms;
mod uniform;

pub use descriptor::{ControllerBuilder, ControllerDescriptor};
pub use evolution::Evolution;
pub use reinforce::Reinforce;
pub use uniform::Uniform;

use crate::arch::Arch;
use crate::options::OptionsError;
use crate::space::SearchSpace;
use crate::state::{State, StateError};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// A controller that cannot go on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ControllerError {
    /// A table of options that cannot be read.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// An option out of its range.
    #[error("{option}: expected {expected}, found {found}")]
    Option {
        /// The option.
        option: String,
        /// Its range.
        expected: String,
        /// What was given.
        found: String,
    },
    /// Saved state of another run.
    #[error(transparent)]
    State(#[from] StateError),
    /// Its own training has left the numbers.
    #[error("the controller diverged: {0}")]
    Diverged(String),
    /// Anything else, in the controller's own words.
    #[error("{0}")]
    Other(String),
}

/// What a controller knows about its run when it is built.
#[derive(Clone)]
pub struct ControllerContext {
    /// The space.
    pub space: Arc<dyn SearchSpace>,
    /// Its stream of random numbers for initial weights.
    pub rng: ChaCha8Rng,
}

/// Proposes architectures and learns from their rewards. Runs on the CPU, whatever the supernet's device.
pub trait Controller: Send {
    /// How many sampled architectures the loop should score with shared weights in each epoch of the controller
    /// phase; 0 for controllers that do not learn.
    fn samples_per_epoch(&self) -> usize {
        0
    }

    /// Draws one architecture.
    ///
    /// # Errors
    /// Whatever keeps the controller from going on; ends the run. Likewise below.
    fn sample(&mut self, rng: &mut ChaCha8Rng) -> Result<Arch, ControllerError>;

    /// Learns that a sampled architecture reached `reward`: its accuracy in `[0, 1]` with shared weights.
    ///
    /// # Errors
    /// See [`sample`](Self::sample).
    fn observe(&mut self, _arch: &Arch, _reward: f64) -> Result<(), ControllerError> {
        Ok(())
    }

    /// At most `n` distinct architectures for the final choice, the most promising first.
    ///
    /// # Errors
    /// See [`sample`](Self::sample).
    fn propose(&mut self, n: usize, rng: &mut ChaCha8Rng) -> Result<Vec<Arch>, ControllerError>;

    /// Named numbers for the metrics, read once an epoch of the controller phase.
    fn telemetry(&self) -> Vec<(String, f64)> {
        Vec::new()
    }

    /// State to go on from later.
    ///
    /// # Errors
    /// See [`sample`](Self::sample).
    fn save(&self) -> Result<State, ControllerError> {
        Ok(State::default())
    }

    /// Goes on from saved state.
    ///
    /// # Errors
    /// State that does not fit.
    fn load(&mut self, _state: &State) -> Result<(), ControllerError> {
        Ok(())
    }
}

/// Adds samples to `found` until it holds `n` distinct architectures or 20 draws in a row brought nothing new.
///
/// # Errors
/// A failing `draw`.
pub fn distinct(
    mut found: Vec<Arch>,
    n: usize,
    mut draw: impl FnMut() -> Result<Arch, ControllerError>,
) -> Result<Vec<Arch>, ControllerError> {
    let mut misses = 0;
    while found.len() < n && misses < 20 {
        let arch = draw()?;
        if found.contains(&arch) {
            misses += 1;
        } else {
            misses = 0;
            found.push(arch);
        }
    }
    Ok(found)
}

/// Refuses an option outside its range.
fn check(option: &str, given: impl std::fmt::Display, expected: &str, ok: bool) -> Result<(), ControllerError> {
    match ok {
        true => Ok(()),
        false => Err(ControllerError::Option {
            option: format!("controller.{option}"),
            expected: expected.into(),
            found: given.to_string(),
        }),
    }
}

/// Refuses what no controller can learn from: an architecture of another space, or a reward that is no number.
fn check_observation(space: &dyn SearchSpace, arch: &Arch, reward: f64) -> Result<(), ControllerError> {
    space.validate(arch).map_err(|e| ControllerError::Other(e.to_string()))?;
    match reward.is_finite() {
        true => Ok(()),
        false => {
            Err(ControllerError::Other(format!("expected a finite reward for {}, found {reward}", space.format(arch))))
        }
    }
}
