//! Write strategies for `nas-train` as shared libraries.
//!
//! Implement [`Strategy`], name the type in [`export_strategies!`], build a `cdylib`, and pass the file to
//! `nas-train --plugin FILE`. Everything but [`ffi`] is safe: pointers are checked before they become references, a
//! panic becomes an error of the run, and an instance that has panicked takes no more calls.
//!
//! ```
//! use nas_plugin_abi::{Context, Needs, Result, Step, Strategy, export_strategies};
//!
//! /// Halves every gradient.
//! struct Halve;
//!
//! impl Strategy for Halve {
//!     const NAME: &'static str = "halve";
//!     const SUMMARY: &'static str = "every gradient, halved";
//!     const NEEDS: Needs = Needs::WRITES_GRADIENT;
//!
//!     fn create(_: &Context<'_>) -> Result<Self> {
//!         Ok(Self)
//!     }
//!
//!     fn after_backward(&mut self, step: &mut Step<'_>) -> Result {
//!         for param in &mut step.params {
//!             param.gradient.iter_mut().for_each(|g| *g *= 0.5);
//!         }
//!         Ok(())
//!     }
//! }
//! export_strategies!(Halve);
//! ```
//!
//! Build it with panics that unwind, Cargo's default: a panic in a library built with `panic = "abort"` ends the
//! program.

mod export;
pub mod ffi;
mod host;
mod model;
mod planner;
mod step;
mod strategy;
mod tensor;

#[doc(hidden)]
pub use export::{Tables, error_of_load, table};
pub use host::{Host, Value};
pub use model::{Context, Decision, Layer, LayerKind, Model, Param, Role};
pub use planner::Planner;
pub use step::{Input, ParamStep, Path, Step};
pub use strategy::{Error, Needs, Result, Strategy};
