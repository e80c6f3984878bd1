//! What the loop tells while it runs. Progress bars, files and reports are observers of these events.

use crate::arch::Arch;

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// The run is about to start.
    Start(Start),
    /// A sentence for the log that nobody has to act on.
    Note(String),
    /// A sentence for the log that the user should know.
    Warning(String),
    /// One step of the shared weights is done.
    Step(StepDone),
    /// One of several evaluations between two epochs is done.
    Evaluating(Evaluating),
    /// One epoch of the shared weights is done.
    Epoch(EpochDone),
    /// The probes were evaluated.
    Probes(ProbesDone<'a>),
    /// The controller was trained for one epoch.
    Controller(ControllerDone),
    /// One architecture of a sequence was trained.
    Trained(Trained<'a>),
    /// An architecture was evaluated with shared weights, outside the probes.
    Evaluated(Evaluated<'a>),
}

/// The size of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Epochs of the run.
    pub epochs: usize,
    /// Steps of one epoch.
    pub steps_per_epoch: usize,
    /// Steps of the run, whose last epoch may be cut short.
    pub steps: u64,
    /// Training images.
    pub train_images: usize,
    /// Validation images for evaluation.
    pub eval_images: usize,
    /// Parameters of the supernet.
    pub params: usize,
    /// Architectures in the space.
    pub archs: u64,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepDone {
    /// Steps before this one.
    pub step: u64,
    /// Epoch, from 0.
    pub epoch: usize,
    /// Mean cross-entropy of the paths.
    pub loss: f64,
    /// Images in the batch.
    pub images: usize,
    /// Architectures that the step trained.
    pub paths: usize,
}

/// What evaluations between two epochs are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The accuracies of the probes.
    Probes,
    /// The rewards of the controller.
    Controller,
}

/// Progress of a phase of evaluations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evaluating {
    /// What for.
    pub phase: Phase,
    /// Epoch, from 0.
    pub epoch: usize,
    /// Evaluations done.
    pub done: usize,
    /// How many there are in this phase.
    pub total: usize,
}

/// One epoch of shared weights.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochDone {
    /// Steps so far.
    pub steps: u64,
    /// Epoch, from 0.
    pub epoch: usize,
    /// Mean training loss over the epoch.
    pub train_loss: f64,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Mean norm of the gradients before clipping.
    pub gradient_norm: f64,
    /// Smallest and largest number of updates of any choice of any decision so far.
    pub fairness: (u64, u64),
    /// Named numbers of the strategy.
    pub telemetry: Vec<(String, f64)>,
    /// Seconds of the epoch's training; the only figure here that differs between two equal runs.
    pub seconds: f64,
}

/// The probes after one epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbesDone<'a> {
    /// Steps so far.
    pub steps: u64,
    /// Epoch, from 0.
    pub epoch: usize,
    /// The probes' texts.
    pub archs: &'a [String],
    /// Their accuracies in percent.
    pub accuracies: &'a [f64],
    /// Figures of the epoch by name: mean accuracy, disturbance, tau, immediate disturbance.
    pub figures: Vec<(String, f64)>,
}

/// One epoch of controller training.
#[derive(Debug, Clone, PartialEq)]
pub struct ControllerDone {
    /// Steps so far.
    pub steps: u64,
    /// Epoch, from 0.
    pub epoch: usize,
    /// Mean reward: accuracy in `[0, 1]`.
    pub reward: f64,
    /// Named numbers of the controller.
    pub telemetry: Vec<(String, f64)>,
}

/// One architecture of a sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained<'a> {
    /// Which of `total`, from 0.
    pub number: usize,
    /// How many there are to train.
    pub total: usize,
    /// The texts of all architectures trained so far, its own last.
    pub archs: &'a [String],
    /// Their accuracies in percent.
    pub accuracies: &'a [f64],
}

/// Why an architecture was evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A proposal of the controller for the final choice.
    Proposal,
    /// Comparison with the truth.
    Truth,
}

/// An architecture evaluated with shared weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated<'a> {
    /// What for.
    pub purpose: Purpose,
    /// Which of `total`, from 0.
    pub number: usize,
    /// How many there are to evaluate.
    pub total: usize,
    /// The architecture.
    pub arch: &'a Arch,
    /// Its text.
    pub text: &'a str,
    /// Accuracy in percent.
    pub accuracy: f64,
    /// Accuracy by the truth table in percent, where known.
    pub truth: Option<f64>,
    /// Stand-alone parameters.
    pub params: u64,
}

/// Receives the events of a run.
pub trait Observer {
    /// Takes one event.
    ///
    /// # Errors
    /// A failure to record it, which ends the run: a full disk must not lose results silently.
    fn observe(&mut self, event: &Event<'_>) -> std::io::Result<()>;
}

impl<F: FnMut(&Event<'_>) -> std::io::Result<()>> Observer for F {
    fn observe(&mut self, event: &Event<'_>) -> std::io::Result<()> {
        self(event)
    }
}
