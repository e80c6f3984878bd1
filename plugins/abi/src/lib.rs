//! Write strategies for `nas-train` as shared libraries.
//!
//! Implement [`Strategy`], pass the type to [`export_strategies!`], build a `cdylib`, and load the file with
//! `nas-train --plugin FILE`. Everything outside [`ffi`] is a safe layer: it checks pointers before they become
//! references, turns a panic into an error of the run, and rejects further calls to an instance that has panicked.
//!
//! ```
//! use nas_plugin_abi::{Context, Needs, Result, Step, Strategy, export_strategies};
//!
//! /// Halves every gradient.
//! struct Halve;
//!
//! impl Strategy for Halve {
//!     const NAME: &'static str = "halve";
//!     const SUMMARY: &'static str = "halve every gradient";
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
//! Keep Cargo's default `panic = "unwind"`. A panic in a library built with `panic = "abort"` ends the whole program.

mod export;
pub mod ffi;
mod host;
mod model;
mod planner;
mod step;
mod strategy;
mod tensor;

#[doc(hidden)]
pub use export::{StrategyTables, set_load_error, strategy_table};
pub use host::{Host, Value};
pub use model::{Context, Decision, Layer, LayerKind, Model, Param, Role};
pub use planner::Planner;
pub use step::{Input, ParamStep, Path, Step};
pub use strategy::{Error, Needs, Result, Strategy};
