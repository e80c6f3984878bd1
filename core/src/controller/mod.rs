//! Controllers: methods that propose architectures. Some learn from the shared-weight accuracy of earlier proposals.

mod descriptor;
mod evolution;
mod reinforce;
mod saved;
#[cfg(test)]
mod tests;
mod uniform;

pub use descriptor::{ControllerBuilder, ControllerDescriptor};
pub use evolution::Evolution;
pub use reinforce::Reinforce;
pub use uniform::Uniform;

use crate::arch::Arch;
use crate::options::OptionsError;
use crate::quote::value;
use crate::space::SearchSpace;
use crate::state::{State, StateError};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Errors of controllers. They end the run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ControllerError {
    /// A table of options that cannot be read.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// An option outside its range.
    #[error("{option}: expected {expected}, found {}", value(found))]
    Option {
        /// Dotted key of the option.
        option: String,
        /// Range of valid values.
        expected: String,
        /// Value that was given.
        found: String,
    },
    /// Saved state that does not fit the controller.
    #[error(transparent)]
    State(#[from] StateError),
    /// A non-finite value in the training of the controller.
    #[error("the controller diverged: {0}")]
    Diverged(String),
    /// Any other failure, with the message of the controller.
    #[error("{0}")]
    Other(String),
}

/// The parts of a run that a controller gets when it is built.
#[derive(Clone)]
pub struct ControllerContext {
    /// Search space of the run.
    pub space: Arc<dyn SearchSpace>,
    /// Random numbers for initial weights of the controller.
    pub rng: ChaCha8Rng,
}

/// Proposes architectures and, if it learns, is trained by their rewards. Controllers run on the CPU.
pub trait Controller: Send {
    /// Number of architectures to sample and evaluate in each epoch of controller training; 0 for controllers that do
    /// not learn.
    fn samples_per_epoch(&self) -> usize {
        0
    }

    /// Number of samples that may be drawn before the first of them is observed, because none depends on the rewards of
    /// the others. `nas-train search` evaluates such samples together; controller training in a run evaluates each
    /// sample before it draws the next.
    fn independent_samples(&self) -> usize {
        1
    }

    /// Draws one architecture.
    ///
    /// # Errors
    /// Any failure of the controller. It ends the run.
    fn sample(&mut self, rng: &mut ChaCha8Rng) -> Result<Arch, ControllerError>;

    /// Trains the controller with the reward of a sampled architecture: its shared-weight accuracy between 0 and 1.
    ///
    /// # Errors
    /// See [`sample`](Self::sample).
    fn observe(&mut self, _arch: &Arch, _reward: f64) -> Result<(), ControllerError> {
        Ok(())
    }

    /// Proposes at most `n` distinct architectures for the selection, the most promising first.
    ///
    /// # Errors
    /// See [`sample`](Self::sample).
    fn propose(&mut self, n: usize, rng: &mut ChaCha8Rng) -> Result<Vec<Arch>, ControllerError>;

    /// Named numbers for `metrics.csv`. The run reads them once per epoch of controller training.
    fn metrics(&self) -> Vec<(String, f64)> {
        Vec::new()
    }

    /// Saves the state of the controller, from which [`load`](Self::load) continues.
    ///
    /// # Errors
    /// See [`sample`](Self::sample).
    fn save(&self) -> Result<State, ControllerError> {
        Ok(State::default())
    }

    /// Continues from saved state.
    ///
    /// # Errors
    /// State that does not fit the controller.
    fn load(&mut self, _state: &State) -> Result<(), ControllerError> {
        Ok(())
    }
}

/// Adds drawn architectures to `found` until it holds `n` distinct ones, or until 20 draws in a row add none.
///
/// # Errors
/// The error of a failed `draw`.
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

/// Returns an error for the option unless `ok`.
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

/// Checks an observation: the architecture must belong to the space, and the reward must be finite.
fn check_observation(space: &dyn SearchSpace, arch: &Arch, reward: f64) -> Result<(), ControllerError> {
    space.validate(arch).map_err(|e| ControllerError::Other(e.to_string()))?;
    match reward.is_finite() {
        true => Ok(()),
        false => {
            Err(ControllerError::Other(format!("expected a finite reward for {}, found {reward}", space.format(arch))))
        }
    }
}
