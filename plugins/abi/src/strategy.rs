//! The trait that a plugin implements, and its error type.

use crate::ffi::{
    NAS_FAILED, NAS_INVALID, NAS_NEEDS_GRADIENT, NAS_NEEDS_INPUT, NAS_NEEDS_UPDATE, NAS_NEEDS_WEIGHT, NAS_UNSUPPORTED,
    NAS_WRITES_GRADIENT, NAS_WRITES_UPDATE,
};
use crate::{Context, Path, Planner, Step};
use std::fmt::Display;
use std::ops::BitOr;

/// Failure of a strategy: a message and a status code. It ends the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub(crate) code: i32,
    pub(crate) message: String,
}

/// Result with an [`Error`]. The `?` operator also converts `String` and `&str` to an [`Error`].
pub type Result<T = ()> = std::result::Result<T, Error>;

impl Error {
    /// A general failure.
    pub fn new(message: impl Display) -> Self {
        Self { code: NAS_FAILED, message: message.to_string() }
    }

    /// An option is out of its range, or saved state does not fit. nas-train reports it as an error of the user's
    /// input.
    pub fn invalid(message: impl Display) -> Self {
        Self { code: NAS_INVALID, message: message.to_string() }
    }

    /// The strategy does not support the search space or the configuration of the run.
    pub fn unsupported(message: impl Display) -> Self {
        Self { code: NAS_UNSUPPORTED, message: message.to_string() }
    }
}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<&str> for Error {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

/// Tensors that the hooks read or write. nas-train copies no others for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs(pub(crate) u64);

impl Needs {
    /// No tensors: only architectures, losses and numbers.
    pub const NOTHING: Self = Self(0);
    /// Read weights of the active parameters.
    pub const WEIGHT: Self = Self(NAS_NEEDS_WEIGHT);
    /// Read gradients of the active parameters.
    pub const GRADIENT: Self = Self(NAS_NEEDS_GRADIENT);
    /// Read updates of the active parameters.
    pub const UPDATE: Self = Self(NAS_NEEDS_UPDATE);
    /// Read inputs of the layers that [`Strategy::capture`] selects.
    pub const INPUT: Self = Self(NAS_NEEDS_INPUT);
    /// Read gradients; values that [`Strategy::after_backward`] writes to them take effect.
    pub const WRITES_GRADIENT: Self = Self(NAS_WRITES_GRADIENT);
    /// Read updates; values that [`Strategy::before_apply`] writes to them take effect.
    pub const WRITES_UPDATE: Self = Self(NAS_WRITES_UPDATE);

    /// The union of both, as `|`, but usable in constants.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOr for Needs {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.and(other)
    }
}

/// A sharing strategy.
///
/// nas-train calls the hooks in this order:
///
/// 1. [`plan`](Self::plan), once for all steps of a plan;
/// 2. in each step: forward and backward pass of every planned architecture, [`after_backward`](Self::after_backward),
///    gradient clipping and optimizer, [`before_apply`](Self::before_apply), addition of the updates to the weights,
///    [`after_update`](Self::after_update);
/// 3. [`end_arch`](Self::end_arch) after the last step of a plan, and [`end_epoch`](Self::end_epoch) after each epoch.
///
/// Calls to one instance never overlap, but may come from different threads. An error ends the run with its message.
pub trait Strategy: Sized + Send + 'static {
    /// Name on the command line: 1 to 64 of `a-z 0-9 -`, not starting with `-`.
    const NAME: &'static str;
    /// Description in one line, shown by `nas-train list`.
    const SUMMARY: &'static str;
    /// Publication of the method.
    const REFERENCE: &'static str = "";
    /// Options with their default values, as TOML: lines `name = value` with a text, a number, `true` or `false`.
    const OPTIONS: &'static str = "";
    /// Tensors that the hooks read or write.
    const NEEDS: Needs = Needs::NOTHING;

    /// Creates an instance for a run. nas-train has checked the names and kinds of the options. The strategy has to
    /// check their ranges, with [`Error::invalid`].
    ///
    /// # Errors
    /// An option is out of its range, or the strategy does not support the search space.
    fn create(context: &Context<'_>) -> Result<Self>;

    /// Number of weight sets of the supernet, 1 to 64. Called once, after [`create`](Self::create).
    fn weight_sets(&self) -> u32 {
        1
    }

    /// Selects the weight set of an architecture at a layer. Equal arguments must give equal results.
    fn bind(&self, _layer: usize, _arch: &[u32]) -> u32 {
        0
    }

    /// Selects whether the inputs of a layer are captured in the next step. Requires [`Needs::INPUT`].
    fn capture(&self, _layer: usize) -> bool {
        true
    }

    /// Chooses the 1 to 1024 architectures of the next plan; each of its steps trains all of them. By default one drawn
    /// architecture ([`Planner::draw`]).
    ///
    /// # Errors
    /// Any failure of the strategy. It ends the run, as do the errors of the other hooks.
    fn plan(&mut self, planner: &mut Planner<'_>) -> Result {
        let arch = planner.draw()?;
        planner.add(&arch, 1.0)
    }

    /// Called after the backward pass, before clipping. May edit gradients under [`Needs::WRITES_GRADIENT`].
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn after_backward(&mut self, _step: &mut Step<'_>) -> Result {
        Ok(())
    }

    /// Called before the updates are added to the weights. May edit updates under [`Needs::WRITES_UPDATE`]. To set a
    /// weight to a value, set its update to the difference.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn before_apply(&mut self, _step: &mut Step<'_>) -> Result {
        Ok(())
    }

    /// Called after the updates have been added to the weights.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn after_update(&mut self, _step: &mut Step<'_>) -> Result {
        Ok(())
    }

    /// Called after the last step of a plan.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn end_arch(&mut self, _paths: &[Path<'_>]) -> Result {
        Ok(())
    }

    /// Called after each epoch. Epochs count from 0.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn end_epoch(&mut self, _epoch: u64) -> Result {
        Ok(())
    }

    /// Returns the state that a new instance needs to continue.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn save(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Restores the state that [`save`](Self::save) returned. The bytes may come from any file, so check them.
    ///
    /// # Errors
    /// The state does not fit.
    fn load(&mut self, _state: &[u8]) -> Result {
        Ok(())
    }
}
