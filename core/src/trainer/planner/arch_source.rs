//! The source of the architectures that a strategy draws: uniform sampling, the controller, or one forced architecture.

use crate::arch::Arch;
use crate::controller::{Controller, ControllerError};
use crate::space::SearchSpace;
use crate::state::State;
use crate::streams::Streams;
use crate::trainer::RunError;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Draws architectures. Owns the controller of the run and the random streams of all draws.
pub struct ArchSource {
    space: Arc<dyn SearchSpace>,
    controller: Box<dyn Controller>,
    controller_name: String,
    uniform_rng: ChaCha8Rng,
    controller_rng: ChaCha8Rng,
    /// Whether draws come from the controller instead of uniform sampling.
    controller_draws: bool,
    /// The result of every draw, if set.
    forced_arch: Option<Arch>,
}

impl ArchSource {
    /// A source that samples uniformly.
    pub fn new(space: Arc<dyn SearchSpace>, name: &str, controller: Box<dyn Controller>, streams: &Streams) -> Self {
        Self {
            space,
            controller,
            controller_name: name.into(),
            uniform_rng: streams.rng("architectures", 0),
            controller_rng: streams.rng("controller", 0),
            controller_draws: false,
            forced_arch: None,
        }
    }

    /// Draws from the controller from now on.
    pub fn draw_from_controller(&mut self) {
        self.controller_draws = true;
    }

    /// Makes every draw return `arch` from now on.
    pub fn force(&mut self, arch: Arch) {
        self.forced_arch = Some(arch);
    }

    /// Draws an architecture.
    ///
    /// # Errors
    /// A controller that fails.
    pub fn draw(&mut self) -> Result<Arch, ControllerError> {
        match &self.forced_arch {
            Some(arch) => Ok(arch.clone()),
            None if self.controller_draws => self.controller.sample(&mut self.controller_rng),
            None => Ok(self.space.sample(&mut self.uniform_rng)),
        }
    }

    /// Samples an architecture from the controller, to be followed by its [`reward`](Self::reward).
    ///
    /// # Errors
    /// A controller that fails; likewise below.
    pub fn sample_controller(&mut self) -> Result<Arch, RunError> {
        let sampled = self.controller.sample(&mut self.controller_rng);
        sampled.map_err(|error| self.controller_error(error))
    }

    /// Trains the controller with the reward of a sampled architecture, an accuracy in `[0, 1]`.
    ///
    /// # Errors
    /// See [`sample_controller`](Self::sample_controller).
    pub fn reward(&mut self, arch: &Arch, reward: f64) -> Result<(), RunError> {
        let observed = self.controller.observe(arch, reward);
        observed.map_err(|error| self.controller_error(error))
    }

    /// At most `n` architectures that the controller proposes for selection. Draws from a copy of the controller's
    /// random stream, so that an interrupted selection can be repeated.
    ///
    /// # Errors
    /// See [`sample_controller`](Self::sample_controller).
    pub fn propose(&mut self, n: usize) -> Result<Vec<Arch>, RunError> {
        let proposed = self.controller.propose(n, &mut self.controller_rng.clone());
        proposed.map_err(|error| self.controller_error(error))
    }

    /// Samples that the controller needs in each epoch of its training; 0 for a controller that does not learn.
    pub fn samples_per_epoch(&self) -> usize {
        self.controller.samples_per_epoch()
    }

    /// Named figures of the controller.
    pub fn metrics(&self) -> Vec<(String, f64)> {
        self.controller.metrics()
    }

    /// The error of a run whose controller failed.
    pub fn controller_error(&self, source: ControllerError) -> RunError {
        RunError::Controller { controller: self.controller_name.clone(), source: Box::new(source) }
    }

    /// The controller's state in section `controller`, `controller_draws`, `forced_arch`, and the positions of the
    /// streams `uniform_rng` and `controller_rng`.
    ///
    /// # Errors
    /// A controller that cannot save its state.
    pub fn save(&self) -> Result<State, RunError> {
        let mut state = State::default();
        let controller = self.controller.save().map_err(|error| self.controller_error(error))?;
        state.put_section("controller", controller);
        state.put("controller_draws", &self.controller_draws)?;
        state.put("forced_arch", &self.forced_arch.as_ref().map(|arch| self.space.format(arch)))?;
        state.put_stream("uniform_rng", &self.uniform_rng);
        state.put_stream("controller_rng", &self.controller_rng);
        Ok(state)
    }

    /// Replaces the state by a saved one.
    ///
    /// # Errors
    /// State of another space or controller.
    pub fn load(&mut self, state: &State) -> Result<(), RunError> {
        let loaded = self.controller.load(&state.section("controller"));
        loaded.map_err(|error| self.controller_error(error))?;
        self.controller_draws = state.get("controller_draws")?;
        let forced: Option<String> = state.get("forced_arch")?;
        self.forced_arch = forced.map(|text| self.space.parse(&text)).transpose()?;
        state.seek_stream("uniform_rng", &mut self.uniform_rng)?;
        state.seek_stream("controller_rng", &mut self.controller_rng)?;
        Ok(())
    }
}
