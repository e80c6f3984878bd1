//! Saved state of a run. A session that is restored from it continues with the same bits as one that never stopped.
//!
//! | section | part | entries |
//! |---|---|---|
//! | `training` | weights, velocities, running batch-norm statistics, counters | see `training::state` |
//! | `evaluated` | the average of the weights, if it is evaluated and saved in place of them | as `training/model` |
//! | `strategy` | the sharing strategy | chosen by the strategy |
//! | `planner` | current plan, steps left of it, positions of the random streams | `paths`, `steps_left`, `strategy_rng`, `uniform_rng`, `controller_rng`, `controller_draws`, `forced_arch` |
//! | `planner/controller` | the controller | chosen by the controller |
//! | `monitor` | histories and sums of all measurements | `probes`, `fairness`, `single_step`, `by_shared_layers`, `forgetting`, `evaluate_at_end_of_plan`, `trained` |
//! | (none) | position of the run, sums of the current epoch | `progress` |
//! | (none) | the configuration that the state belongs to | `config` |
//!
//! State is everything that a step, an evaluation or a draw changes. The rest follows from the configuration and the
//! data set, and a new session computes it again: the search space, the split and order of the images (a function of
//! seed and epoch), the probe architectures, the architectures of the truth comparison, and the learning rate (a
//! function of the step).

use super::Session;
use crate::config::{ConfigError, RunConfig};
use crate::network::NetworkSpec;
use crate::optimizer::LrSchedule;
use crate::registry::TrainingDevice;
use crate::state::State;
use crate::trainer::RunError;
use crate::trainer::saved_config::{check_config, comparable};
use serde_json::{Map, Value};

impl<D: TrainingDevice> Session<D> {
    /// The state between two steps or two phases.
    ///
    /// # Errors
    /// A strategy or controller that cannot save its state.
    pub fn save(&self) -> Result<State, RunError> {
        let mut state = State::default();
        state.put("config", &comparable(&self.config)?)?;
        state.put("progress", &self.progress)?;
        self.supernet.save(&mut state)?;
        state.put_section("planner", self.planner.save(&self.supernet)?);
        state.put_section("monitor", self.monitor.save(&self.supernet)?);
        Ok(state)
    }

    /// As [`restore`](Self::restore), with the state of a run of fewer epochs at the end of its training.
    /// `search.start` must be the first epoch of controller training in that run; -1 would change with the number of
    /// epochs.
    ///
    /// # Errors
    /// Those of `restore`, and a configuration in which earlier steps depend on the number of epochs.
    pub fn extend(self, state: &State) -> Result<Self, RunError> {
        check_extension(&self.config)?;
        self.supernet.strategy().check_independent_of_length()?;
        let mut state = state.clone();
        let mut saved: Map<String, Value> = state.get("config")?;
        if saved.get("search.start").and_then(Value::as_i64) == Some(-1) {
            let epochs = saved.get("train.epochs").and_then(Value::as_u64).unwrap_or_default();
            saved.insert("search.start".into(), RunConfig::default_controller_start(epochs as usize).into());
        }
        saved.insert("train.epochs".into(), self.config.train.epochs.into());
        state.put("config", &saved)?;
        self.restore(&state)
    }

    /// This session, not yet run, with the weights of another run of the same network, from
    /// [`weights::read`](crate::checkpoint::weights::read).
    ///
    /// # Errors
    /// Weights of another network.
    pub fn with_weights(mut self, model: &State) -> Result<Self, RunError> {
        self.supernet.load_model(model)?;
        Ok(self)
    }

    /// The layers and parameters of the supernet.
    pub fn spec(&self) -> &NetworkSpec {
        self.supernet.training().network().spec()
    }

    /// This session, not yet run, with the state of another session of the same configuration.
    ///
    /// # Errors
    /// State of another configuration, and missing or misfitting entries.
    pub fn restore(mut self, state: &State) -> Result<Self, RunError> {
        check_config(&state.get("config")?, &comparable(&self.config)?)?;
        self.progress = state.get("progress")?;
        self.supernet.load(state)?;
        self.planner.load(&state.section("planner"), &self.supernet)?;
        self.monitor.load(&state.section("monitor"), &self.supernet)?;
        Ok(self)
    }
}

/// Checks that a run with this configuration continues a shorter one exactly.
fn check_extension(config: &RunConfig) -> Result<(), ConfigError> {
    let fixed = |key: &'static str, expected: &str, found: &str| {
        let expected = format!("{expected} to extend a run, because any other value depends on the length");
        Err(ConfigError::Range { key, expected, found: found.into() })
    };
    match config.train.lr_schedule {
        LrSchedule::Constant => {}
        LrSchedule::Linear => return fixed("train.lr_schedule", "`constant`", "linear"),
        LrSchedule::Cosine => return fixed("train.lr_schedule", "`constant`", "cosine"),
    }
    if config.train.max_steps > 0 {
        return fixed("train.max_steps", "0", &config.train.max_steps.to_string());
    }
    if config.search.start < 0 { fixed("search.start", "an epoch", "-1") } else { Ok(()) }
}
