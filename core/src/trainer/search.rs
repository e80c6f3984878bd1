//! The controller phase and the final choice.

use super::{RunError, Session};
use crate::event::{ControllerDone, Evaluated, Evaluating, Event, Observer, Phase, Purpose};
use crate::registry::Target;
use crate::result::Selected;
use std::sync::atomic::{AtomicBool, Ordering};

impl<D: Target> Session<D> {
    /// Trains the controller for one epoch on rewards from shared weights.
    pub(super) fn train_controller(
        &mut self,
        epoch: usize,
        observer: &mut dyn Observer,
        cancel: &AtomicBool,
    ) -> Result<(), RunError> {
        let samples = self.controller.samples_per_epoch();
        if samples == 0 {
            return Ok(());
        }
        let mut rewards = 0.0;
        for done in 1..=samples {
            if cancel.load(Ordering::Relaxed) {
                return Ok(());
            }
            let arch = self.controller.sample(&mut self.rngs.controller)?;
            let reward = self.evaluate(&arch)? / 100.0;
            self.controller.observe(&arch, reward)?;
            rewards += reward;
            let phase = Phase::Controller;
            observer.observe(&Event::Evaluating(Evaluating { phase, epoch, done, total: samples }))?;
        }
        let telemetry = self.controller.telemetry();
        let reward = rewards / samples as f64;
        observer.observe(&Event::Controller(ControllerDone { steps: self.steps, epoch, reward, telemetry }))?;
        Ok(())
    }

    /// Ranks the controller's proposals by accuracy with shared weights; `None` if `cancel` came first.
    pub(super) fn choose(
        &mut self,
        observer: &mut dyn Observer,
        cancel: &AtomicBool,
    ) -> Result<Option<Selected>, RunError> {
        let proposals = self.controller.propose(self.config.search.proposals, &mut self.rngs.controller)?;
        let mut best: Option<Selected> = None;
        let mut each = |number: usize, accuracy: f64| {
            let arch = &proposals[number];
            let (params, macs) = self.cost(arch)?;
            let text = self.space.format(arch);
            let truth = self.truth.as_ref().and_then(|plan| plan.table.get(&text)).map(|entry| entry.accuracy);
            observer.observe(&Event::Evaluated(Evaluated {
                purpose: Purpose::Proposal,
                number,
                total: proposals.len(),
                arch,
                text: &text,
                accuracy,
                truth,
                params,
            }))?;
            if best.as_ref().is_none_or(|best| accuracy > best.valid_accuracy) {
                best = Some(Selected { arch: text, valid_accuracy: accuracy, params, macs, truth });
            }
            Ok(())
        };
        let done = self.evaluate_all(&proposals, cancel, &mut each)?;
        Ok(done.and(best))
    }
}
