//! Saved state of a stand-alone training.
//!
//! | section | content |
//! |---|---|
//! | `training` | weights, velocities, running batch-norm statistics, counters |
//! | `evaluated` | the weights that are evaluated and exported, if they are an average |
//! | `best` | the weights of the evaluation with the highest accuracy |
//! | (none) | `progress`: the epoch, its sums and the figures so far |
//! | (none) | what the state belongs to: `arch`, `seed`, and of the `config` the sections `space`, `data`, `train` and `retrain`, and `tf32` if it is true |

use super::StandAloneRun;
use crate::registry::TrainingDevice;
use crate::state::{State, StateError};
use crate::trainer::RunError;
use crate::trainer::saved_config::{check_config, comparable};
use serde_json::Value;

/// The sections of the configuration on which a training depends.
const SECTIONS: [&str; 4] = ["space.", "data.", "train.", "retrain."];

impl<D: TrainingDevice> StandAloneRun<D> {
    /// The state between two steps.
    ///
    /// # Errors
    /// See [`State::put`].
    pub fn save(&self) -> Result<State, RunError> {
        let mut state = State::default();
        self.identity(|key, value| state.put(key, &value))?;
        state.put("progress", &self.progress)?;
        state.put_section("training", self.training.save()?);
        self.average.save(&mut state)?;
        if let Some(best) = &self.best {
            state.put_section("best", best.clone());
        }
        Ok(state)
    }

    /// This training, not yet run, with the state of another one of the same configuration, architecture and seed.
    ///
    /// # Errors
    /// State of another training, and missing or misfitting entries.
    pub fn restore(mut self, state: &State) -> Result<Self, RunError> {
        self.identity(|key, value| match (state.get(key)?, value) {
            (Value::Object(saved), Value::Object(present)) => check_config(&saved, &present),
            (saved, present) if saved == present => Ok(()),
            (saved, present) => {
                let expected = format!("state of a training with {key} {present}");
                Err(StateError { expected, found: saved.to_string() })
            }
        })?;
        self.progress = state.get("progress")?;
        self.training.load(&state.section("training"))?;
        self.average.load(state, self.training.model())?;
        self.best = Some(state.section("best")).filter(|best| *best != State::default());
        Ok(self)
    }

    /// Calls `entry` with each name and value that identify the training.
    fn identity(&self, mut entry: impl FnMut(&str, Value) -> Result<(), StateError>) -> Result<(), StateError> {
        let mut config = comparable(&self.config)?;
        let in_tf32 = |key: &str, value: &Value| key == "tf32" && *value == Value::Bool(true);
        config.retain(|key, value| in_tf32(key, value) || SECTIONS.iter().any(|section| key.starts_with(section)));
        entry("config", Value::Object(config))?;
        entry("arch", Value::from(self.network.arch.as_str()))?;
        entry("seed", self.config.seed.into())
    }
}
