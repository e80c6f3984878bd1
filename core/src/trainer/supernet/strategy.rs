//! A sharing strategy under its name, as the hooks of a training step.

use crate::arch::Arch;
use crate::network::LayerId;
use crate::state::State;
use crate::strategy::{Path, Sampler, SharingStrategy, Step, StrategyError};
use crate::trainer::RunError;
use crate::trainer::training::Hooks;
use nas_ops::Backend;

/// A strategy whose errors name it.
pub struct NamedStrategy<D: Backend> {
    name: String,
    strategy: Box<dyn SharingStrategy<D>>,
}

impl<D: Backend> NamedStrategy<D> {
    /// Names a strategy.
    pub fn new(name: &str, strategy: Box<dyn SharingStrategy<D>>) -> Self {
        Self { name: name.into(), strategy }
    }

    /// The name in the registry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// See [`SharingStrategy::plan`].
    pub fn plan(&mut self, sampler: &mut Sampler<'_>) -> Result<Vec<Path>, RunError> {
        let planned = self.strategy.plan(sampler);
        self.named(planned)
    }

    /// See [`SharingStrategy::end_arch`].
    pub fn end_arch(&mut self, paths: &[Path]) -> Result<(), RunError> {
        let ended = self.strategy.end_arch(paths);
        self.named(ended)
    }

    /// See [`SharingStrategy::end_epoch`].
    pub fn end_epoch(&mut self, epoch: usize) -> Result<(), RunError> {
        let ended = self.strategy.end_epoch(epoch);
        self.named(ended)
    }

    /// See [`SharingStrategy::notes`].
    pub fn notes(&self) -> Vec<String> {
        self.strategy.notes()
    }

    /// See [`SharingStrategy::take_notes`].
    pub fn take_notes(&mut self) -> Vec<String> {
        self.strategy.take_notes()
    }

    /// See [`SharingStrategy::metrics`].
    pub fn metrics(&self) -> Vec<(String, f64)> {
        self.strategy.metrics()
    }

    /// See [`SharingStrategy::check_independent_of_length`].
    pub fn check_independent_of_length(&self) -> Result<(), RunError> {
        self.named(self.strategy.check_independent_of_length())
    }

    /// See [`SharingStrategy::deferred_bind_error`].
    pub fn deferred_bind_error(&self) -> Result<(), RunError> {
        self.named(self.strategy.deferred_bind_error())
    }

    /// See [`SharingStrategy::save`].
    pub fn save(&self) -> Result<State, RunError> {
        self.named(self.strategy.save())
    }

    /// See [`SharingStrategy::load`].
    pub fn load(&mut self, state: &State) -> Result<(), RunError> {
        let loaded = self.strategy.load(state);
        self.named(loaded)
    }

    fn named<T>(&self, result: Result<T, StrategyError>) -> Result<T, RunError> {
        result.map_err(|source| RunError::Strategy { strategy: self.name.clone(), source })
    }
}

impl<D: Backend> Hooks<D> for NamedStrategy<D> {
    fn bind(&self, arch: &Arch, layer: LayerId) -> usize {
        self.strategy.bind(arch, layer)
    }

    fn capture(&self, layer: LayerId) -> usize {
        self.strategy.capture(layer)
    }

    fn after_backward(&mut self, step: &mut Step<D>) -> Result<(), RunError> {
        let done = self.strategy.after_backward(step);
        self.named(done)
    }

    fn before_apply(&mut self, step: &mut Step<D>) -> Result<(), RunError> {
        let done = self.strategy.before_apply(step);
        self.named(done)
    }

    fn after_update(&mut self, step: &Step<D>) -> Result<(), RunError> {
        let done = self.strategy.after_update(step);
        self.named(done)
    }
}
