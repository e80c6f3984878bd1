//! Measurements of a run: probe architectures, single-step disturbance, forgetting, the fairness audit, and the
//! comparison with a truth table. They evaluate the supernet and change nothing that training reads.

mod disturbance;
mod find_table;
mod probes;
mod truth;

pub use find_table::check_table_name;
pub use truth::TruthComparison;

use super::training::TrainPath;
use super::{RunError, Supernet};
use crate::arch::Arch;
use crate::metrics::FairnessAudit;
use crate::registry::TrainingDevice;
use crate::result;
use crate::space::Decision;
use crate::state::{State, StateError};
use disturbance::{DisturbanceMonitor, PendingStep};
pub use probes::Probes;

/// The measurements of a run.
pub struct Monitor {
    probes: Option<Probes>,
    truth: Option<TruthComparison>,
    /// Sub-net passes with the choices of [`operations`](Self::operations).
    audit: FairnessAudit,
    /// For each decision of the space, whether it is one between operations.
    operations: Vec<bool>,
    disturbance: DisturbanceMonitor,
}

impl Monitor {
    /// Prepares the measurements of a space with these decisions. `single_step_every` is that of
    /// [`ProbeConfig`](crate::config::ProbeConfig).
    pub fn new(
        probes: Option<Probes>,
        truth: Option<TruthComparison>,
        decisions: &[Decision],
        single_step_every: usize,
    ) -> Self {
        let disturbance = DisturbanceMonitor::new(single_step_every);
        let choices: Vec<usize> =
            decisions.iter().filter(|decision| decision.is_operation()).map(|d| d.choices.len()).collect();
        let operations = decisions.iter().map(Decision::is_operation).collect();
        Self { probes, truth, audit: FairnessAudit::new(&choices), operations, disturbance }
    }

    /// Evaluates `previous`, the last architecture of the previous plan, if single-step disturbance is measured at the
    /// step on `paths`.
    ///
    /// # Errors
    /// An evaluation that fails.
    pub fn before_step<D: TrainingDevice>(
        &self,
        previous: Option<Arch>,
        paths: &[TrainPath],
        supernet: &Supernet<D>,
    ) -> Result<Option<PendingStep>, RunError> {
        previous.map_or(Ok(None), |arch| self.disturbance.before_step(arch, paths, supernet))
    }

    /// Counts the choices of the trained paths, and evaluates after a step that [`before_step`](Self::before_step)
    /// preceded. `ended`: whether the plan of `paths` has had its last step.
    ///
    /// # Errors
    /// An evaluation that fails.
    pub fn after_step<D: TrainingDevice>(
        &mut self,
        pending: Option<PendingStep>,
        paths: &[TrainPath],
        ended: bool,
        supernet: &Supernet<D>,
    ) -> Result<(), RunError> {
        for path in paths {
            let choices = path.path.arch.choices().iter().zip(&self.operations);
            self.audit
                .record(&choices.filter(|(_, operation)| **operation).map(|(choice, _)| *choice).collect::<Vec<_>>())?;
        }
        self.disturbance.after_step(pending, paths, ended, supernet)
    }

    /// Measures forgetting at the end of an epoch.
    ///
    /// # Errors
    /// An evaluation that fails.
    pub fn end_epoch<D: TrainingDevice>(&mut self, supernet: &Supernet<D>) -> Result<(), RunError> {
        self.disturbance.end_epoch(supernet)
    }

    /// The probe architectures, unless the run has none.
    pub fn probes(&self) -> Option<&Probes> {
        self.probes.as_ref()
    }

    /// Adds the accuracies of the probe architectures after an epoch, in percent. Returns the figures of the epoch by
    /// name.
    ///
    /// # Errors
    /// Accuracies that are not finite.
    pub fn end_probes(&mut self, accuracies: Vec<f64>) -> Result<Vec<(String, f64)>, RunError> {
        let Some(probes) = &mut self.probes else { return Ok(Vec::new()) };
        probes.push(accuracies)?;
        let mut figures = probes.figures();
        figures.extend(self.disturbance.figures());
        Ok(figures)
    }

    /// The comparison with a truth table, unless the run has none.
    pub fn truth(&self) -> Option<&TruthComparison> {
        self.truth.as_ref()
    }

    /// Smallest and largest number of sub-net passes that contained a choice, over all decisions between at least two
    /// operations.
    pub fn fairness_range(&self) -> (u64, u64) {
        self.audit.summary().map_or((0, 0), |summary| (summary.min, summary.max))
    }

    /// Numbers of sub-net passes with each choice, for the result.
    pub fn fairness(&self) -> Option<result::Fairness> {
        let summary = self.audit.summary()?;
        let mut audited = (0..self.audit.decisions()).filter_map(|decision| self.audit.histogram(decision));
        // A decision about topology has no counts: its choices have no weights of their own.
        let counts = self.operations.iter().map(|operation| operation.then(|| audited.next()).flatten());
        Some(result::Fairness {
            min: summary.min,
            max: summary.max,
            mean: summary.mean,
            counts: counts.map(|counts| counts.map_or(Vec::new(), <[u64]>::to_vec)).collect(),
        })
    }

    /// Figures of the probe architectures over the run, for the result.
    pub fn probe_result(&self) -> Option<result::Probes> {
        self.probes.as_ref().map(|probes| probes.result(&self.disturbance))
    }

    /// The probe history in `probes`, the counts of the audit in `fairness`, and the entries of `disturbance`.
    ///
    /// # Errors
    /// See [`State::put`].
    pub fn save<D: TrainingDevice>(&self, supernet: &Supernet<D>) -> Result<State, RunError> {
        let mut state = self.disturbance.save(&**supernet.space())?;
        if let Some(probes) = &self.probes {
            state.put("probes", probes.history())?;
        }
        state.put("fairness", &self.audit)?;
        Ok(state)
    }

    /// Replaces the state by a saved one.
    ///
    /// # Errors
    /// State of another space, or of another number of probe architectures.
    pub fn load<D: TrainingDevice>(&mut self, state: &State, supernet: &Supernet<D>) -> Result<(), RunError> {
        if let Some(probes) = &mut self.probes {
            probes.set_history(state.get("probes")?)?;
        }
        let audit: FairnessAudit = state.get("fairness")?;
        let choices = |audit: &FairnessAudit| -> Vec<usize> {
            (0..audit.decisions()).filter_map(|decision| audit.histogram(decision)).map(<[u64]>::len).collect()
        };
        let (expected, found) = (choices(&self.audit), choices(&audit));
        if expected != found {
            let [expected, found] = [expected, found].map(|choices| format!("counts of {choices:?} choices"));
            return Err(StateError { expected, found }.into());
        }
        self.audit = audit;
        self.disturbance.load(state, &**supernet.space())
    }
}
