//! Saved state of a planner: `paths`, `steps_left`, the position of `strategy_rng`, and the entries of [`ArchSource`].
//!
//! [`ArchSource`]: super::ArchSource

use super::{Planner, check};
use crate::registry::TrainingDevice;
use crate::state::{State, StateError};
use crate::strategy::Path;
use crate::trainer::training::TrainPath;
use crate::trainer::{RunError, Supernet};
use serde::{Deserialize, Serialize};

/// A planned path: the architecture as text, and the factor of its loss.
#[derive(Serialize, Deserialize)]
struct SavedPath {
    arch: String,
    weight: f32,
}

impl Planner {
    /// The plan, the steps left of it, and the source of architectures.
    ///
    /// # Errors
    /// A controller that cannot save its state.
    pub fn save<D: TrainingDevice>(&self, supernet: &Supernet<D>) -> Result<State, RunError> {
        let mut state = self.source.save()?;
        let saved = |TrainPath { path, .. }: &TrainPath| SavedPath {
            arch: supernet.space().format(&path.arch),
            weight: path.weight,
        };
        state.put("paths", &self.paths.iter().map(saved).collect::<Vec<_>>())?;
        state.put("steps_left", &self.steps_left)?;
        state.put_stream("strategy_rng", &self.strategy_rng);
        Ok(state)
    }

    /// Replaces the state by a saved one.
    ///
    /// # Errors
    /// State of another space, strategy or controller.
    pub fn load<D: TrainingDevice>(&mut self, state: &State, supernet: &Supernet<D>) -> Result<(), RunError> {
        let space = supernet.space();
        let parse = |SavedPath { arch, weight }| Ok(Path { arch: space.parse(&arch)?, weight });
        let saved: Vec<SavedPath> = state.get("paths")?;
        let paths = saved.into_iter().map(parse).collect::<Result<Vec<_>, RunError>>()?;
        let steps_left: usize = state.get("steps_left")?;
        if steps_left > self.steps_per_plan {
            let expected = format!("at most {} steps left of a plan", self.steps_per_plan);
            return Err(StateError { expected, found: steps_left.to_string() }.into());
        }
        if steps_left > 0 {
            check(&paths, &**space, supernet.strategy().name())?;
        }
        let with_program = |path: Path| Ok(TrainPath { program: supernet.program(&path.arch)?, path });
        self.paths = paths.into_iter().map(with_program).collect::<Result<_, RunError>>()?;
        self.steps_left = steps_left;
        state.seek_stream("strategy_rng", &mut self.strategy_rng)?;
        self.source.load(state)
    }
}
