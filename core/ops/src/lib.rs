//! The image operations that dfdx 0.13 lacks on stable Rust, as dfdx tape operations.
//!
//! Every tensor is a [`Tensor4`]: activations have shape `[n, h, w, c]`, convolution weights
//! `[kh, kw, c_in / groups, c_out]`, and vectors over channels `[1, 1, 1, c]`. Operations borrow their inputs and
//! record their backward pass on an explicit tape. `OwnedTape` records it, `NoneTape` does not.
//!
//! Operations are methods of [`Activation`]. Each has a plain implementation in [`mod@reference`], composed of dfdx
//! operations and generic over the device. Tests compare kernels with it, and devices without kernels use it.
//! [`Backend`] selects the implementation of a device.

mod backend;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod device;
mod error;
mod gram;
mod norm;
mod patches;
mod sgd;
mod shape;
mod spec;
mod tape;
mod upload;

pub mod reference;

pub use backend::{Activation, Backend};
pub use cpu::CpuActivation;
#[cfg(feature = "cuda")]
pub use cuda::{CudaActivation, set_tf32};
pub use device::Device;
pub use error::OpError;
pub use gram::InputPatches;
pub use norm::{EPS, Moments, NormArgs};
pub use patches::patches;
pub use sgd::{SgdParam, SgdSpec};
pub use spec::{ConvSpec, PoolKind, PoolSpec, UnitSpec, Window};
pub use upload::Upload;

use dfdx::tensor::Tensor;

/// A dense tensor of four dimensions: `[n, h, w, c]` for activations, `[kh, kw, c_in / groups, c_out]` for convolution
/// weights.
pub type Tensor4<D> = Tensor<(usize, usize, usize, usize), f32, D>;

/// A dense matrix.
pub type Matrix<D> = Tensor<(usize, usize), f32, D>;
