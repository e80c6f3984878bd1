//! Events of a run. Progress bars, result files and reports are observers of these events.

use crate::arch::Arch;
use crate::network::NetworkSpec;
use crate::result::EvalFigures;
use crate::space::Scale;
use crate::state::State;
use serde::Serialize;
use std::sync::Arc;

/// An event of a run.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// The run starts, or continues after an interrupt.
    Start(RunSize),
    /// Information for the log.
    Note(String),
    /// A probable mistake in the configuration, for the log.
    Warning(String),
    /// A step of the shared weights is complete.
    Step(StepDone),
    /// One of several evaluations after an epoch is complete.
    Evaluating(Evaluating),
    /// An epoch of the shared weights is complete.
    Epoch(EpochDone),
    /// An epoch of a stand-alone training is complete.
    StandAloneEpoch(StandAloneEpoch),
    /// The probe architectures have been evaluated.
    Probes(ProbesDone<'a>),
    /// An epoch of controller training is complete.
    Controller(ControllerDone),
    /// An architecture of a sequence has been trained.
    Trained(Trained<'a>),
    /// A proposal, or an architecture of the truth comparison, has been evaluated with shared weights.
    Evaluated(Evaluated<'a>),
}

/// The size of a run.
#[derive(Debug, Clone)]
pub struct RunSize {
    /// Epochs of the run.
    pub epochs: usize,
    /// Steps of a whole epoch.
    pub steps_per_epoch: usize,
    /// Steps of the run. The last epoch may be shorter than the others.
    pub steps: u64,
    /// Number of training images.
    pub train_images: usize,
    /// The images on which architectures are evaluated.
    pub eval: EvalInputs,
    /// Parameters of the network, over all weight sets of a supernet.
    pub params: usize,
    /// Number of architectures in the search space; 1 for a stand-alone training.
    pub archs: u64,
    /// The network that is trained.
    pub network: Arc<NetworkSpec>,
    /// The scale of the search space.
    pub scale: Scale,
}

/// The images on which architectures are evaluated, and what a network receives of them: `(pixel - mean) / std`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvalInputs {
    /// Mean of each channel over the training images, in pixel values (0 to 255).
    pub mean: Vec<f32>,
    /// Standard deviation of each channel over the training images, in pixel values.
    pub std: Vec<f32>,
    /// Images of the largest batch. Batch normalisation takes its statistics over a batch. The sizes of the batches differ
    /// by at most one, the larger ones first.
    pub batch_size: usize,
    /// Positions of the images among the images of the data set from which they are taken, in the order of evaluation.
    pub positions: Vec<usize>,
    /// Names of the classes, in the order of the class scores.
    pub classes: Vec<String>,
}

/// A training step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepDone {
    /// Number of the step, from 0.
    pub step: u64,
    /// Epoch of the step, from 0.
    pub epoch: usize,
    /// Mean cross-entropy of the paths, in nats.
    pub loss: f64,
    /// Images in the batch.
    pub images: usize,
    /// Paths of the step.
    pub paths: usize,
}

/// The purpose of evaluations after an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Accuracies of the probe architectures.
    Probes,
    /// Rewards of the controller.
    Controller,
}

/// Progress of the evaluations after an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evaluating {
    /// Purpose of the evaluations.
    pub phase: Phase,
    /// The epoch, from 0.
    pub epoch: usize,
    /// Number of complete evaluations, at least 1.
    pub done: usize,
    /// Number of evaluations in this phase.
    pub total: usize,
}

/// Figures of an epoch of the shared weights.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochDone {
    /// Steps since the start of the run.
    pub steps: u64,
    /// The epoch, from 0.
    pub epoch: usize,
    /// Mean training loss of the epoch's steps, in nats.
    pub train_loss: f64,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Mean 2-norm of the gradients before clipping.
    pub gradient_norm: f64,
    /// Smallest and largest number of sub-net passes that contained a choice, since the start of the run, over all
    /// decisions between at least two operations. Decisions about topology do not count.
    pub fairness: (u64, u64),
    /// Metrics of the strategy, by name.
    pub metrics: Vec<(String, f64)>,
    /// Duration of the epoch's training, in seconds. It and the metrics named `time.*` may differ between equal runs.
    pub seconds: f64,
}

/// Figures of an epoch of a stand-alone training.
#[derive(Debug, Clone, PartialEq)]
pub struct StandAloneEpoch {
    /// Steps since the start of the training.
    pub steps: u64,
    /// The epoch, from 0.
    pub epoch: usize,
    /// Mean training loss of the epoch's steps, in nats, without the loss of the auxiliary head.
    pub train_loss: f64,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Mean 2-norm of the gradients before clipping.
    pub gradient_norm: f64,
    /// Accuracies after the epoch, if it was evaluated.
    pub evaluation: Option<EvalFigures>,
    /// Duration of the epoch's training in seconds.
    pub seconds: f64,
}

/// Accuracies and figures of the probe architectures after an epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbesDone<'a> {
    /// Steps since the start of the run.
    pub steps: u64,
    /// The epoch, from 0.
    pub epoch: usize,
    /// The probe architectures as text.
    pub archs: &'a [String],
    /// Accuracy of each probe architecture in percent.
    pub accuracies: &'a [f64],
    /// Figures under their names in `metrics.csv`: mean accuracy, performance disturbance, rank stability, single-step
    /// disturbance and forgetting.
    pub figures: Vec<(String, f64)>,
}

/// Figures of an epoch of controller training.
#[derive(Debug, Clone, PartialEq)]
pub struct ControllerDone {
    /// Steps of the shared weights since the start of the run.
    pub steps: u64,
    /// The epoch, from 0.
    pub epoch: usize,
    /// Mean reward, an accuracy in `[0, 1]`.
    pub reward: f64,
    /// Metrics of the controller, by name.
    pub metrics: Vec<(String, f64)>,
}

/// The latest trained architecture of a sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained<'a> {
    /// Position in the sequence, from 0.
    pub number: usize,
    /// Length of the sequence.
    pub total: usize,
    /// All architectures trained so far as text, the latest one last.
    pub archs: &'a [String],
    /// Accuracy of each of them in percent.
    pub accuracies: &'a [f64],
}

/// The purpose of an evaluation at the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The architecture is a proposal of the controller, among which one is selected.
    Proposal,
    /// The architecture belongs to the comparison with the truth table.
    Truth,
}

/// An architecture evaluated with shared weights at the end of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated<'a> {
    /// Purpose of the evaluation.
    pub purpose: Purpose,
    /// Position among the architectures of this purpose, from 0.
    pub number: usize,
    /// Number of architectures of this purpose.
    pub total: usize,
    /// The architecture.
    pub arch: &'a Arch,
    /// The architecture as text.
    pub text: &'a str,
    /// Accuracy with shared weights in percent.
    pub accuracy: f64,
    /// Stand-alone accuracy in percent, if the truth table has one.
    pub truth: Option<f64>,
    /// Parameters of the stand-alone network.
    pub params: u64,
}

/// Receives the events of a run.
pub trait Observer {
    /// Receives one event.
    ///
    /// # Errors
    /// A failure to record the event. It ends the run, so that no result is lost unnoticed.
    fn observe(&mut self, event: &Event<'_>) -> std::io::Result<()>;

    /// Whether the run must save its state for this observer at this point. Saving copies all tensors, so return true
    /// rarely. The default is false.
    fn needs_state(&mut self, _point: SavePoint) -> bool {
        false
    }

    /// Receives the state after [`needs_state`](Self::needs_state) returned true. It belongs to the point after all
    /// events so far.
    ///
    /// # Errors
    /// A failure that ends the run. An observer that can do without this state returns `Ok`.
    fn receive_state(&mut self, _state: State, _point: SavePoint) -> std::io::Result<()> {
        Ok(())
    }
}

/// Saves a state for an observer that needs it.
///
/// # Errors
/// A state that cannot be saved, or an observer that fails.
pub(crate) fn offer_state<E: From<std::io::Error>>(
    observer: &mut dyn Observer,
    point: SavePoint,
    save: impl FnOnce() -> Result<State, E>,
) -> Result<(), E> {
    if observer.needs_state(point) {
        observer.receive_state(save()?, point)?;
    }
    Ok(())
}

/// A point between two events at which the state of a run can be saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SavePoint {
    /// A step is complete.
    Step,
    /// An epoch with all its phases is complete. The number counts the epochs so far.
    Epoch(usize),
    /// Training is complete. Selection and the comparison with the truth table follow.
    Trained,
    /// The run was interrupted and ends.
    Interrupted,
}

impl<F: FnMut(&Event<'_>) -> std::io::Result<()>> Observer for F {
    fn observe(&mut self, event: &Event<'_>) -> std::io::Result<()> {
        self(event)
    }
}
