//! What an author implements.

use crate::ffi::{
    NAS_FAILED, NAS_INVALID, NAS_NEEDS_GRADIENT, NAS_NEEDS_INPUT, NAS_NEEDS_UPDATE, NAS_NEEDS_WEIGHT, NAS_UNSUPPORTED,
    NAS_WRITES_GRADIENT, NAS_WRITES_UPDATE,
};
use crate::{Context, Path, Planner, Step};
use std::fmt::Display;
use std::ops::BitOr;

/// Why a strategy cannot go on: a sentence, and what kind of failure it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub(crate) code: i32,
    pub(crate) message: String,
}

/// A result that fails with an [`Error`]; text becomes one by `?`.
pub type Result<T = ()> = std::result::Result<T, Error>;

impl Error {
    /// Something went wrong.
    pub fn new(message: impl Display) -> Self {
        Self { code: NAS_FAILED, message: message.to_string() }
    }

    /// An option is out of its range, or state does not fit: the user can mend it.
    pub fn invalid(message: impl Display) -> Self {
        Self { code: NAS_INVALID, message: message.to_string() }
    }

    /// The space or the run is none that this strategy can train.
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

/// What the hooks get to see; nothing else is copied for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs(pub(crate) u64);

impl Needs {
    /// Architectures and numbers alone.
    pub const NOTHING: Self = Self(0);
    /// The weights of active parameters.
    pub const WEIGHT: Self = Self(NAS_NEEDS_WEIGHT);
    /// Gradients.
    pub const GRADIENT: Self = Self(NAS_NEEDS_GRADIENT);
    /// Updates.
    pub const UPDATE: Self = Self(NAS_NEEDS_UPDATE);
    /// The inputs of the layers that [`Strategy::capture`] names.
    pub const INPUT: Self = Self(NAS_NEEDS_INPUT);
    /// Gradients; what [`Strategy::after_backward`] writes into them counts.
    pub const WRITES_GRADIENT: Self = Self(NAS_WRITES_GRADIENT);
    /// Updates; what [`Strategy::before_apply`] writes into them counts.
    pub const WRITES_UPDATE: Self = Self(NAS_WRITES_UPDATE);

    /// Both; `|` for constants.
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

/// A way to share weights.
///
/// A step is: [`plan`](Self::plan) (once for all steps of a plan), forward and backward of every planned architecture,
/// [`after_backward`](Self::after_backward), clipping and the optimizer, [`before_apply`](Self::before_apply), the
/// addition of the updates to the weights, [`after_update`](Self::after_update); after the last step of a plan
/// [`end_arch`](Self::end_arch), after an epoch [`end_epoch`](Self::end_epoch).
///
/// One thread at a time calls an instance, but not always the same one. Any error ends the run with its sentence.
pub trait Strategy: Sized + Send + 'static {
    /// Its name on the command line, of `a-z 0-9 -`.
    const NAME: &'static str;
    /// One line for `nas-train list`.
    const SUMMARY: &'static str;
    /// The paper it comes from.
    const REFERENCE: &'static str = "";
    /// Its options with their defaults, as TOML: `name = value` a line; values are text, numbers or flags.
    const OPTIONS: &'static str = "";
    /// What the hooks get to see.
    const NEEDS: Needs = Needs::NOTHING;

    /// Makes an instance for a run. Options come checked for their names and kinds; ranges are yours to check, with
    /// [`Error::invalid`].
    ///
    /// # Errors
    /// Options out of range, or a space that cannot be trained.
    fn create(context: &Context<'_>) -> Result<Self>;

    /// How many weight sets the supernet holds, 1 to 64; asked once.
    fn weight_sets(&self) -> u32 {
        1
    }

    /// Which weight set an architecture uses at a layer: always the same for the same arguments.
    fn bind(&self, _layer: usize, _arch: &[u32]) -> u32 {
        0
    }

    /// Whether the inputs of a layer are wanted in the coming step, under [`Needs::INPUT`].
    fn capture(&self, _layer: usize) -> bool {
        true
    }

    /// Chooses the architectures of the coming step, 1 to 1024.
    ///
    /// # Errors
    /// Whatever keeps it from planning; likewise for the other hooks.
    fn plan(&mut self, planner: &mut Planner<'_>) -> Result {
        let arch = planner.draw()?;
        planner.add(&arch, 1.0)
    }

    /// May edit gradients under [`Needs::WRITES_GRADIENT`], before clipping.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn after_backward(&mut self, _step: &mut Step<'_>) -> Result {
        Ok(())
    }

    /// May edit updates under [`Needs::WRITES_UPDATE`]. To set a weight, make its update what is missing.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn before_apply(&mut self, _step: &mut Step<'_>) -> Result {
        Ok(())
    }

    /// Sees the weights after the update.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn after_update(&mut self, _step: &mut Step<'_>) -> Result {
        Ok(())
    }

    /// The planned architectures have had all their steps.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn end_arch(&mut self, _paths: &[Path<'_>]) -> Result {
        Ok(())
    }

    /// An epoch, from 0, has ended.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn end_epoch(&mut self, _epoch: u64) -> Result {
        Ok(())
    }

    /// All that a new instance needs to go on.
    ///
    /// # Errors
    /// See [`plan`](Self::plan).
    fn save(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Goes on from what [`save`](Self::save) gave. Anything may come: check it.
    ///
    /// # Errors
    /// State that does not fit.
    fn load(&mut self, _state: &[u8]) -> Result {
        Ok(())
    }
}
