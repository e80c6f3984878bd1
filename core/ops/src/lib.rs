//! The image operations that dfdx 0.13 lacks on stable Rust, as dfdx tape operations.
//!
//! Activations have shape `[n, h, w, c]`, convolution weights `[kh, kw, c_in / groups, c_out]`, vectors over channels
//! `[1, 1, 1, c]`, so that every tensor is a [`Tensor4`]. Operations borrow their inputs and record their backward
//! pass on an explicit tape: `NoneTape` records nothing, `OwnedTape` everything.
//!
//! Each operation has a plain implementation in [`mod@reference`], composed of dfdx operations and generic over the
//! device. It is the oracle of the tests and what a device uses until it has kernels of its own; [`Backend`] says which
//! device uses which.

mod activation;
mod backend;
mod cpu;
mod error;
mod norm;
mod patches;
mod sgd;
mod shape;
mod spec;

pub mod reference;

pub use activation::Activation;
pub use backend::Backend;
pub use cpu::CpuActivation;
pub use error::OpError;
pub use norm::{EPS, Moments, NormArgs};
pub use patches::patches;
pub use sgd::{SgdParam, SgdSpec};
pub use spec::{ConvSpec, PoolKind, PoolSpec, UnitSpec, Window};

use dfdx::tensor::Tensor;

/// A dense, contiguous tensor of four dimensions; `[n, h, w, c]` for activations, `[kh, kw, c_in / groups, c_out]` for
/// convolution weights.
pub type Tensor4<D> = Tensor<(usize, usize, usize, usize), f32, D>;
