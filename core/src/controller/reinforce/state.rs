//! Saved state of `reinforce`: parameters, Adam's moments, baseline, incomplete batch, and recent observations.

use super::baseline::Baseline;
use super::policy::Param;
use super::{Observed, Reinforce};
use crate::controller::ControllerError;
use crate::controller::saved::{put_reals, reals};
use crate::state::{HostTensor, State, StateError};
use dfdx::prelude::HasShape;

/// Prefixes of the names of Adam's moments; the name of the parameter follows.
const MOMENTS: [&str; 2] = ["adam.m.", "adam.v."];

impl Reinforce {
    pub(super) fn to_state(&self) -> Result<State, StateError> {
        let mut state = State::default();
        let params = self.policy.params().iter().map(|p| (&p.name, *p.value.shape()));
        for (k, (name, (rows, columns))) in params.enumerate() {
            let mut put = |name: String, values| {
                state.tensors.insert(name, HostTensor { shape: vec![rows, columns], values });
            };
            put(name.clone(), self.policy.values(k));
            for (moment, values) in MOMENTS.iter().zip(&self.adam.moments) {
                put(format!("{moment}{name}"), values[k].clone());
            }
        }
        state.put("counts", &[self.adam.steps, self.observed as u64])?;
        put_reals(&mut state, "baseline", self.baseline.value())?;
        put_reals(&mut state, "seen", self.recent.iter().flat_map(|s| [s.entropy, s.log_prob, s.advantage]))?;
        if self.observed > 0 {
            put_reals(&mut state, "pending", self.pending.iter().flatten().copied())?;
        }
        Ok(state)
    }

    /// Restores a saved state. The whole state is read first, so a state that does not fit leaves the controller
    /// unchanged.
    pub(super) fn set_state(&mut self, state: &State) -> Result<(), ControllerError> {
        let weights = self.read_like_params(state, "")?;
        let moments = [self.read_like_params(state, MOMENTS[0])?, self.read_like_params(state, MOMENTS[1])?];
        let [steps, observed]: [u64; 2] = state.get("counts")?;
        let baseline = reals(state, "baseline")?.first().copied();
        let seen = reals(state, "seen")?;
        if seen.len() % 3 != 0 {
            return Err(misfit("three numbers for each recent observation", seen.len()).into());
        }
        let mut pending: Vec<Vec<f64>> = self.pending.iter().map(|p| vec![0.0; p.len()]).collect();
        if observed > 0 {
            let saved = reals(state, "pending")?;
            let size: usize = pending.iter().map(Vec::len).sum();
            if saved.len() != size || observed >= self.options.batch as u64 {
                let expected = format!("pending: {size} sums over fewer than {} observations", self.options.batch);
                return Err(misfit(&expected, format!("{} over {observed}", saved.len())).into());
            }
            pending.iter_mut().flatten().zip(saved).for_each(|(p, saved)| *p = saved);
        }

        for (k, values) in weights.into_iter().enumerate() {
            self.policy.set(k, values)?;
        }
        self.adam.moments = moments;
        self.adam.steps = steps;
        self.baseline = Baseline::new(self.options.baseline_decay, baseline);
        self.observed = observed as usize;
        self.pending = pending;
        let last = seen.chunks_exact(3).map(|s| Observed { entropy: s[0], log_prob: s[1], advantage: s[2] });
        self.recent = last.skip((seen.len() / 3).saturating_sub(self.options.samples)).collect();
        Ok(())
    }

    /// Reads the tensors `prefix` + name of all parameters and checks their shapes.
    fn read_like_params(&self, state: &State, prefix: &str) -> Result<Vec<Vec<f32>>, StateError> {
        let read = |param: &Param| {
            let (rows, columns) = *param.value.shape();
            Ok(state.tensor(&format!("{prefix}{}", param.name), &[rows, columns])?.values.clone())
        };
        self.policy.params().iter().map(read).collect()
    }
}

fn misfit(expected: &str, found: impl std::fmt::Display) -> StateError {
    StateError { expected: expected.into(), found: found.to_string() }
}
