//! Disturbance as it happens: what one step does to the architecture trained before it, and what the rest of an epoch
//! does to an architecture after its own update.

use super::{RunError, Session};
use crate::arch::Arch;
use crate::metrics::disturbance::{Forgetting, Observation, SingleStepDisturbance};
use crate::registry::Target;
use crate::result;
use std::collections::{BTreeMap, BTreeSet};

/// What a run has seen of both.
#[derive(Default)]
pub(super) struct Watch {
    single_step: SingleStepDisturbance,
    /// By the number of layers that the two architectures share.
    shared: BTreeMap<usize, SingleStepDisturbance>,
    forgetting: Forgetting,
    /// Whether the plan at hand is one whose architecture is measured again after its own steps.
    follows: bool,
    /// Architectures of the current epoch with their accuracy right after their own update.
    updated: Vec<(Arch, f64)>,
}

/// The previous architecture, about to be disturbed by a step on others.
pub(super) struct Watched {
    arch: Arch,
    before: Observation,
    shared: usize,
}

impl Watch {
    /// Figures so far by name.
    pub(super) fn figures(&self) -> Vec<(String, f64)> {
        let mut figures = Vec::new();
        if let Some(single_step) = self.single_step.summary() {
            figures.push(("single_step_disturbance_loss".into(), single_step.loss));
            figures.push(("single_step_disturbance_abs_loss".into(), single_step.abs_loss));
            figures.push(("single_step_disturbance_accuracy".into(), single_step.accuracy));
        }
        figures.extend(self.forgetting.mean().map(|mean| ("forgetting".into(), mean)));
        figures
    }

    pub(super) fn single_step(&self) -> Option<result::SingleStepDisturbance> {
        self.single_step.summary().map(|i| result::SingleStepDisturbance {
            accuracy: i.accuracy,
            loss: i.loss,
            abs_loss: i.abs_loss,
            n: i.n,
        })
    }

    pub(super) fn forgetting(&self) -> Option<result::Forgetting> {
        self.forgetting.mean().map(|accuracy| result::Forgetting { accuracy, n: self.forgetting.n() })
    }

    /// One row for each number of shared layers that occurred.
    pub(super) fn shared_layers(&self) -> Vec<result::SharedLayers> {
        let row = |(layers, single_step): (&usize, &SingleStepDisturbance)| {
            single_step.summary().map(|i| result::SharedLayers {
                layers: *layers,
                n: i.n,
                accuracy: i.accuracy,
                loss: i.loss,
                abs_loss: i.abs_loss,
            })
        };
        self.shared.iter().filter_map(row).collect()
    }
}

impl<D: Target> Session<D> {
    /// Whether the coming step is one of those that are watched.
    pub(super) fn watching(&self) -> bool {
        let every = self.config.probes.single_step_every as u64;
        every > 0 && self.steps.is_multiple_of(every)
    }

    /// Measures `arch` before a step on the planned architectures.
    pub(super) fn watch(&self, arch: Arch) -> Result<Watched, RunError> {
        let before = self.observe_first(&arch)?;
        let layers = |arch: &Arch| Ok::<BTreeSet<usize>, RunError>(self.program(arch)?.layers.into_iter().collect());
        let mut trained = BTreeSet::new();
        for path in &self.plan.paths {
            trained.append(&mut layers(&path.arch)?);
        }
        let shared = layers(&arch)?.intersection(&trained).filter(|layer| !self.fixed.contains(layer)).count();
        Ok(Watched { arch, before, shared })
    }

    /// Measures the watched architecture after the step, and what a watched plan trained right after its own last step.
    pub(super) fn watched(&mut self, watched: Option<Watched>) -> Result<(), RunError> {
        if let Some(Watched { arch, before, shared }) = watched {
            let after = self.observe_first(&arch)?;
            self.watch.single_step.record(before, after)?;
            self.watch.shared.entry(shared).or_default().record(before, after)?;
            self.watch.follows = true;
        }
        if self.plan.left == 0
            && std::mem::take(&mut self.watch.follows)
            && let Some(path) = self.plan.paths.last()
        {
            let own = self.observe_first(&path.arch)?.accuracy;
            self.watch.updated.push((path.arch.clone(), own));
        }
        Ok(())
    }

    /// Compares the architectures that were measured after their own update with what they are at the end of the epoch.
    pub(super) fn end_watch(&mut self) -> Result<(), RunError> {
        for (arch, own) in std::mem::take(&mut self.watch.updated) {
            let end = self.observe_first(&arch)?.accuracy;
            self.watch.forgetting.record(own, end)?;
        }
        Ok(())
    }

    fn observe_first(&self, arch: &Arch) -> Result<Observation, RunError> {
        let program = self.program(arch)?;
        let seen = self.with_weights(arch, |weights| self.evaluator.observe_first(&program, weights))?;
        self.finite(seen, arch)
    }
}
