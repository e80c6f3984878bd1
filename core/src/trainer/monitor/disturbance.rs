//! Single-step disturbance and forgetting.
//!
//! Single-step disturbance: the change of the previous plan's architecture across one step on other architectures.
//! Forgetting: the change of an architecture from right after its own last step to the end of the epoch, for the
//! architectures whose step disturbed another one. Both are measured on the first batch of evaluation images.

use crate::arch::Arch;
use crate::metrics::Evaluation;
use crate::metrics::disturbance::{ForgettingSums, SingleStepSums};
use crate::registry::TrainingDevice;
use crate::result;
use crate::space::SearchSpace;
use crate::state::State;
use crate::trainer::training::TrainPath;
use crate::trainer::{RunError, Supernet};
use std::collections::BTreeMap;

/// Sums of both measurements over a run.
pub struct DisturbanceMonitor {
    /// Steps whose number is a multiple of this value are measured, if they start a plan without the previous
    /// architecture; 0 turns both measurements off.
    every: u64,
    single_step: SingleStepSums,
    /// By the number of layers that the two architectures share.
    by_shared_layers: BTreeMap<usize, SingleStepSums>,
    forgetting: ForgettingSums,
    /// Whether the architecture of the current plan is evaluated after its last step.
    evaluate_at_end_of_plan: bool,
    /// Architectures of the current epoch, each with its accuracy right after its own last step.
    trained: Vec<(Arch, f64)>,
}

/// A measured step that has not been taken yet.
pub struct PendingStep {
    /// The last architecture of the previous plan.
    arch: Arch,
    before: Evaluation,
    shared_layers: usize,
}

impl DisturbanceMonitor {
    /// A monitor without measurements. `every` is `probes.single_step_every`.
    pub fn new(every: usize) -> Self {
        Self {
            every: every as u64,
            single_step: SingleStepSums::default(),
            by_shared_layers: BTreeMap::new(),
            forgetting: ForgettingSums::default(),
            evaluate_at_end_of_plan: false,
            trained: Vec::new(),
        }
    }

    /// Evaluates the architecture of the previous plan before a measured step on other architectures.
    pub fn before_step<D: TrainingDevice>(
        &self,
        arch: Arch,
        paths: &[TrainPath],
        supernet: &Supernet<D>,
    ) -> Result<Option<PendingStep>, RunError> {
        let due = self.every > 0 && supernet.training().counters().steps.is_multiple_of(self.every);
        if !due || paths.iter().any(|path| path.path.arch == arch) {
            return Ok(None);
        }
        let before = supernet.evaluate_first_batch(&arch)?;
        let shared_layers = supernet.shared_layers(&arch, paths.iter().map(|path| &path.path.arch))?;
        Ok(Some(PendingStep { arch, before, shared_layers }))
    }

    /// Evaluates the architecture of the previous plan after a measured step, and the last architecture of the current
    /// plan where this was the last step of a plan whose first step was measured.
    pub fn after_step<D: TrainingDevice>(
        &mut self,
        pending: Option<PendingStep>,
        paths: &[TrainPath],
        ended: bool,
        supernet: &Supernet<D>,
    ) -> Result<(), RunError> {
        if let Some(PendingStep { arch, before, shared_layers }) = pending {
            let after = supernet.evaluate_first_batch(&arch)?;
            self.single_step.record(before, after)?;
            self.by_shared_layers.entry(shared_layers).or_default().record(before, after)?;
            self.evaluate_at_end_of_plan = true;
        }
        if ended
            && std::mem::take(&mut self.evaluate_at_end_of_plan)
            && let Some(TrainPath { path, .. }) = paths.last()
        {
            let accuracy = supernet.evaluate_first_batch(&path.arch)?.accuracy;
            self.trained.push((path.arch.clone(), accuracy));
        }
        Ok(())
    }

    /// Evaluates the architectures of [`after_step`](Self::after_step) again at the end of the epoch.
    pub fn end_epoch<D: TrainingDevice>(&mut self, supernet: &Supernet<D>) -> Result<(), RunError> {
        for (arch, accuracy) in std::mem::take(&mut self.trained) {
            self.forgetting.record(accuracy, supernet.evaluate_first_batch(&arch)?.accuracy)?;
        }
        Ok(())
    }

    /// Means over the run so far, by the names of `metrics.csv`.
    pub fn figures(&self) -> Vec<(String, f64)> {
        let mut figures = Vec::new();
        if let Some(mean) = self.single_step.summary() {
            figures.push(("single_step_disturbance_loss".into(), mean.loss));
            figures.push(("single_step_disturbance_abs_loss".into(), mean.abs_loss));
            figures.push(("single_step_disturbance_accuracy".into(), mean.accuracy));
        }
        figures.extend(self.forgetting.mean().map(|mean| ("forgetting".into(), mean)));
        figures
    }

    /// Mean single-step disturbance; `None` without a measured step.
    pub fn single_step(&self) -> Option<result::SingleStepDisturbance> {
        self.single_step.summary().map(|mean| result::SingleStepDisturbance {
            accuracy: mean.accuracy,
            loss: mean.loss,
            abs_loss: mean.abs_loss,
            n: mean.n,
        })
    }

    /// Mean single-step disturbance by the number of shared layers, ascending.
    pub fn by_shared_layers(&self) -> Vec<result::DisturbanceBySharedLayers> {
        let row = |(layers, changes): (&usize, &SingleStepSums)| {
            changes.summary().map(|mean| result::DisturbanceBySharedLayers {
                layers: *layers,
                n: mean.n,
                accuracy: mean.accuracy,
                loss: mean.loss,
                abs_loss: mean.abs_loss,
            })
        };
        self.by_shared_layers.iter().filter_map(row).collect()
    }

    /// Mean forgetting; `None` without a value.
    pub fn forgetting(&self) -> Option<result::Forgetting> {
        self.forgetting.mean().map(|accuracy| result::Forgetting { accuracy, n: self.forgetting.n() })
    }

    /// The sums, and the architectures that are evaluated again at the end of the epoch.
    pub fn save(&self, space: &dyn SearchSpace) -> Result<State, RunError> {
        let mut state = State::default();
        state.put("single_step", &self.single_step)?;
        state.put("by_shared_layers", &self.by_shared_layers)?;
        state.put("forgetting", &self.forgetting)?;
        state.put("evaluate_at_end_of_plan", &self.evaluate_at_end_of_plan)?;
        let trained = self.trained.iter().map(|(arch, accuracy)| (space.format(arch), *accuracy));
        state.put("trained", &trained.collect::<Vec<_>>())?;
        Ok(state)
    }

    /// Replaces the sums by saved ones.
    pub fn load(&mut self, state: &State, space: &dyn SearchSpace) -> Result<(), RunError> {
        self.single_step = state.get("single_step")?;
        self.by_shared_layers = state.get("by_shared_layers")?;
        self.forgetting = state.get("forgetting")?;
        self.evaluate_at_end_of_plan = state.get("evaluate_at_end_of_plan")?;
        let trained: Vec<(String, f64)> = state.get("trained")?;
        let parse = |(text, accuracy): (String, f64)| Ok((space.parse(&text)?, accuracy));
        self.trained = trained.into_iter().map(parse).collect::<Result<_, RunError>>()?;
        Ok(())
    }
}
