//! Selection of an architecture among the controller's proposals.

use crate::arch::Arch;
use crate::event::{Evaluated, Event, Observer, Purpose};
use crate::registry::TrainingDevice;
use crate::result::Selected;
use crate::trainer::monitor::TruthComparison;
use crate::trainer::{RunError, Supernet, stand_alone_cost};
use std::sync::atomic::AtomicBool;

/// Evaluates the proposals with shared weights and selects the one with the highest accuracy, the first of equal ones.
/// `None` if `cancel` became true first.
///
/// # Errors
/// An evaluation or an observer that fails.
pub fn select<D: TrainingDevice>(
    proposals: &[Arch],
    supernet: &Supernet<D>,
    truth: Option<&TruthComparison>,
    observer: &mut dyn Observer,
    cancel: &AtomicBool,
) -> Result<Option<Selected>, RunError> {
    let space = supernet.space();
    let mut selected: Option<Selected> = None;
    let mut each = |number: usize, accuracy: f64| {
        let arch = &proposals[number];
        let (params, macs) = stand_alone_cost(&**space, arch)?;
        let text = space.format(arch);
        let truth = truth.and_then(|table| table.accuracy(&text));
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
        if selected.as_ref().is_none_or(|best| accuracy > best.valid_accuracy) {
            selected = Some(Selected { arch: text, valid_accuracy: accuracy, params, macs, truth });
        }
        Ok(())
    };
    let evaluated = supernet.evaluate_all(proposals, cancel, &mut each)?;
    Ok(evaluated.and(selected))
}
