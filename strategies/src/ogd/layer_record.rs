//! Recorded inputs and projector of one layer.

use super::layout::Tensor3;
use super::options::{AlphaUnit, MemoryPolicy, OgdSettings, OwnInputs, ProjectorRule};
use super::projector::{Projector, ProjectorMatrices};
use super::recorded_inputs::RecordedInputs;
use nas_ops::Backend;
use std::borrow::Cow;

/// Step and alpha of the last computation of a projector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LastRefresh {
    pub step: u64,
    pub alpha: f64,
}

/// Recorded inputs and projector of one layer under one weight set.
#[derive(Debug, Clone)]
pub struct LayerRecord<D: Backend> {
    /// Inputs of earlier architectures.
    pub memory: Option<RecordedInputs>,
    /// Inputs of the architecture that is being trained.
    pub pending: Option<RecordedInputs>,
    /// The projector; `None` stands for `I`.
    pub projector: Option<Projector<Tensor3<D>>>,
    /// Last computation of the projector; `None` before the first.
    pub last_refresh: Option<LastRefresh>,
    /// Whether the protected inputs have changed since the last refresh.
    pub outdated: bool,
}

impl<D: Backend> Default for LayerRecord<D> {
    fn default() -> Self {
        Self { memory: None, pending: None, projector: None, last_refresh: None, outdated: false }
    }
}

impl<D: Backend> LayerRecord<D> {
    /// Adds the inputs of a step to the pending ones. `alpha` is that of the step.
    pub fn record(&mut self, mut new: RecordedInputs, alpha: f64, settings: &OgdSettings) {
        if settings.options.rule == ProjectorRule::Accumulated {
            // In equation 8, each sample is divided by the alpha of the step in which it was recorded.
            let unit = match settings.options.alpha_unit {
                AlphaUnit::Energy => new.energy(),
                AlphaUnit::Absolute => 1.0,
            };
            if unit > 0.0 {
                new.scale(1.0 / (alpha * unit));
            }
        }
        match &mut self.pending {
            Some(pending) => pending.add(new),
            None => self.pending = Some(new),
        }
        self.outdated |= settings.options.own_inputs == OwnInputs::During;
    }

    /// Moves the pending inputs into the memory, after the last step of their architecture.
    pub fn end_arch(&mut self, settings: &OgdSettings) {
        match (settings.memory, self.pending.take()) {
            (MemoryPolicy::Previous, pending) => {
                // Without pending inputs the architecture has not used this layer. The memory becomes empty.
                self.outdated |= self.memory.is_some() || pending.is_some();
                self.memory = pending;
            }
            (MemoryPolicy::Decaying(_), None) => {}
            (MemoryPolicy::Decaying(factor), Some(pending)) => {
                self.outdated = true;
                match &mut self.memory {
                    Some(memory) => {
                        memory.decay(factor);
                        memory.add(pending);
                    }
                    None => self.memory = Some(pending),
                }
            }
        }
    }

    /// Whether the projector has to be computed again before this step: its inputs or, under the normalised rule, alpha
    /// have changed, and the last computation is at least `refresh` steps ago.
    pub fn needs_refresh(&self, step: u64, alpha: f64, settings: &OgdSettings) -> bool {
        let normalised = settings.options.rule == ProjectorRule::Normalised;
        let changed = self.outdated || (normalised && self.last_refresh.is_some_and(|last| last.alpha != alpha));
        changed && self.last_refresh.is_none_or(|last| step >= last.step.saturating_add(settings.options.refresh))
    }

    /// Stores a projector that was computed from the current [`protected_inputs`](Self::protected_inputs).
    pub fn set_projector(&mut self, projector: Option<Projector<Tensor3<D>>>, step: u64, alpha: f64) {
        (self.projector, self.last_refresh, self.outdated) = (projector, Some(LastRefresh { step, alpha }), false);
    }

    /// The projector, or `None` if it is the identity.
    pub fn active_projector(&self) -> Option<&Projector<Tensor3<D>>> {
        self.projector.as_ref().filter(|p| !matches!(p.matrices, ProjectorMatrices::Identity))
    }

    /// The inputs from which the projector is computed: the memory and, with `own_inputs = "during"`, the pending ones.
    pub fn protected_inputs(&self, settings: &OgdSettings) -> Option<Cow<'_, RecordedInputs>> {
        let own = self.pending.as_ref().filter(|_| settings.options.own_inputs == OwnInputs::During);
        match (&self.memory, own) {
            (Some(memory), Some(own)) => {
                let mut both = memory.clone();
                both.add(own.clone());
                Some(Cow::Owned(both))
            }
            (memory, own) => memory.as_ref().or(own).map(Cow::Borrowed),
        }
    }
}

/// The factor `s` in `P = (I + s S)^-1`: `1 / (count * alpha * unit)` under the normalised rule; 1 under the
/// accumulated rule, because [`LayerRecord::record`] has already divided the inputs by alpha.
pub fn inverse_alpha(inputs: &RecordedInputs, alpha: f64, settings: &OgdSettings) -> f64 {
    let unit = match (settings.options.rule, settings.options.alpha_unit) {
        (ProjectorRule::Accumulated, _) => return 1.0,
        (ProjectorRule::Normalised, AlphaUnit::Energy) => inputs.energy(),
        (ProjectorRule::Normalised, AlphaUnit::Absolute) => 1.0,
    };
    let denominator = inputs.count * alpha * unit;
    // All recorded inputs are zero: no update changes their outputs.
    if unit > 0.0 { 1.0 / denominator } else { 0.0 }
}
