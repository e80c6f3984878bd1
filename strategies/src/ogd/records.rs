//! What is remembered of each layer, and its projector.

use super::evidence::Evidence;
use super::layout::Tensor3;
use super::options::{AlphaUnit, Memory, OwnInputs, Rule, Settings};
use super::projector::{Matrices, Projector};
use nas_ops::Backend;
use std::borrow::Cow;

/// When and with which alpha a projector was computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Built {
    /// The step.
    pub step: u64,
    /// Alpha at that time.
    pub alpha: f64,
}

/// The memory of one layer under one weight set.
#[derive(Debug, Clone)]
pub struct Record<D: Backend> {
    /// Inputs of earlier architectures.
    pub memory: Option<Evidence>,
    /// Inputs of the architecture being trained.
    pub pending: Option<Evidence>,
    /// The projector, `None` for `I`.
    pub projector: Option<Projector<Tensor3<D>>>,
    /// How it came about.
    pub built: Option<Built>,
    /// Whether the evidence has changed since.
    pub stale: bool,
}

impl<D: Backend> Default for Record<D> {
    fn default() -> Self {
        Self { memory: None, pending: None, projector: None, built: None, stale: false }
    }
}

impl<D: Backend> Record<D> {
    /// Takes in the inputs of a step, under the alpha of that step.
    pub fn observe(&mut self, mut new: Evidence, alpha: f64, settings: &Settings) {
        if settings.options.rule == Rule::Accumulated {
            // In equation 8, each sample enters with the alpha of its own time.
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
        self.stale |= settings.options.own_inputs == OwnInputs::During;
    }

    /// Moves the inputs of the architecture that has had its steps into the memory.
    pub fn end_arch(&mut self, settings: &Settings) {
        match (settings.memory, self.pending.take()) {
            (Memory::Previous, pending) => {
                // A layer that the architecture did not run has nothing to protect any more.
                self.stale |= self.memory.is_some() || pending.is_some();
                self.memory = pending;
            }
            (Memory::Fading(_), None) => {}
            (Memory::Fading(factor), Some(pending)) => {
                self.stale = true;
                match &mut self.memory {
                    Some(memory) => {
                        memory.fade(factor);
                        memory.add(pending);
                    }
                    None => self.memory = Some(pending),
                }
            }
        }
    }

    /// Whether there is something new that the projector should know by now.
    pub fn is_due(&self, step: u64, alpha: f64, settings: &Settings) -> bool {
        let normalised = settings.options.rule == Rule::Normalised;
        let changed = self.stale || (normalised && self.built.is_some_and(|built| built.alpha != alpha));
        changed && self.built.is_none_or(|built| step >= built.step.saturating_add(settings.options.refresh))
    }

    /// Takes a projector that was computed from the evidence of now.
    pub fn refresh(&mut self, projector: Option<Projector<Tensor3<D>>>, step: u64, alpha: f64) {
        (self.projector, self.built, self.stale) = (projector, Some(Built { step, alpha }), false);
    }

    /// The projector, unless it lets everything pass.
    pub fn restriction(&self) -> Option<&Projector<Tensor3<D>>> {
        self.projector.as_ref().filter(|p| !matches!(p.matrices, Matrices::Identity))
    }

    /// What the projector may know.
    pub fn evidence(&self, settings: &Settings) -> Option<Cow<'_, Evidence>> {
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

/// The factor of `S` in `P = (I + s S)^-1`.
pub fn strength(evidence: &Evidence, alpha: f64, settings: &Settings) -> f64 {
    let unit = match (settings.options.rule, settings.options.alpha_unit) {
        // Alpha is in the evidence already.
        (Rule::Accumulated, _) => return 1.0,
        (Rule::Normalised, AlphaUnit::Energy) => evidence.energy(),
        (Rule::Normalised, AlphaUnit::Absolute) => 1.0,
    };
    let denominator = evidence.count * alpha * unit;
    // Nothing but zeros has been seen: there is nothing to protect.
    if unit > 0.0 { 1.0 / denominator } else { 0.0 }
}
