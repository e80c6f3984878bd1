//! Kernels for the CPU, which process images one at a time and do not unfold them into a matrix of patches.
//!
//! Work is split into groups of [`IMAGES_PER_GROUP`](image_group::IMAGES_PER_GROUP) images, for any number of threads.
//! Sums over a batch are added within each group first, and then from group to group in order. The bits of a result
//! therefore depend neither on the number of threads nor on their timing.
//!
//! Modules import only modules of lower layers: [`operations`] (one file per operation, with its backward pass), then
//! [`activation`], then [`conv`], [`norm`] and [`covariance`], then the kernels and data layouts they share.

mod activation;
mod buffer;
mod conv;
mod correlation;
mod covariance;
mod dense;
mod depthwise;
mod elementwise;
mod frame;
mod image_group;
mod norm;
mod operations;
mod packed;
mod sgd;
mod simd;
mod source;
mod store;
#[cfg(test)]
mod tests;
mod winograd;

pub use activation::CpuActivation;

use crate::{
    Activation, Backend, ConvSpec, Moments, NormArgs, OpError, PoolSpec, SgdParam, SgdSpec, Tensor4, UnitSpec,
};
use dfdx::tensor::{Cpu, Tape};

impl Backend for Cpu {
    #[cfg(not(feature = "reference"))]
    type Activation = CpuActivation;
    #[cfg(feature = "reference")]
    type Activation = Tensor4<Self>;

    fn sgd(params: &mut [SgdParam<'_, Cpu>], spec: SgdSpec) -> Result<f64, OpError> {
        sgd::sgd(params, spec)
    }

    fn add_to(pairs: &mut [(&mut Tensor4<Cpu>, &Tensor4<Cpu>)]) -> Result<(), OpError> {
        sgd::add_to(pairs)
    }
}

impl Activation<Cpu> for CpuActivation {
    const ACCUMULATES_GRADIENTS: bool = true;

    fn from_tensor<T: Tape<f32, Cpu>>(x: &Tensor4<Cpu>, tape: &mut T) -> Result<Self, OpError> {
        CpuActivation::from_tensor(x, tape)
    }

    fn constant(x: &Tensor4<Cpu>) -> Result<Self, OpError> {
        CpuActivation::constant(x)
    }

    fn to_tensor<T: Tape<f32, Cpu>>(&self, tape: &mut T) -> Result<Tensor4<Cpu>, OpError> {
        CpuActivation::to_tensor(self, tape)
    }

    fn first_images(&self, images: usize) -> Result<Tensor4<Cpu>, OpError> {
        CpuActivation::first_images(self, images)
    }

    fn dims(&self) -> (usize, usize, usize, usize) {
        CpuActivation::dims(self)
    }

    fn conv2d<T: Tape<f32, Cpu>>(&self, weight: &Tensor4<Cpu>, spec: ConvSpec, tape: &mut T) -> Result<Self, OpError> {
        operations::conv2d(self, weight, UnitSpec { relu: false, conv: spec }, tape)
    }

    fn relu_conv2d<T: Tape<f32, Cpu>>(
        &self,
        weight: &Tensor4<Cpu>,
        spec: ConvSpec,
        tape: &mut T,
    ) -> Result<Self, OpError> {
        operations::conv2d(self, weight, UnitSpec { relu: true, conv: spec }, tape)
    }

    fn pool2d<T: Tape<f32, Cpu>>(&self, spec: PoolSpec, tape: &mut T) -> Result<Self, OpError> {
        operations::pool2d(self, spec, tape)
    }

    fn scale_images<T: Tape<f32, Cpu>>(&self, factors: &[f32], tape: &mut T) -> Result<Self, OpError> {
        operations::scale_images(self, factors, tape)
    }

    fn odd_pixels<T: Tape<f32, Cpu>>(&self, tape: &mut T) -> Result<Self, OpError> {
        operations::odd_pixels(self, tape)
    }

    fn batch_norm<T: Tape<f32, Cpu>>(
        &self,
        norm: NormArgs<'_, Cpu>,
        tape: &mut T,
    ) -> Result<(Self, Option<Moments<Cpu>>), OpError> {
        operations::batch_norm(self, norm, tape)
    }

    fn unit<T: Tape<f32, Cpu>>(
        &self,
        weight: &Tensor4<Cpu>,
        spec: UnitSpec,
        norm: NormArgs<'_, Cpu>,
        tape: &mut T,
    ) -> Result<(Self, Option<Moments<Cpu>>), OpError> {
        operations::unit(self, weight, spec, norm, tape)
    }

    fn relu<T: Tape<f32, Cpu>>(&self, tape: &mut T) -> Result<Self, OpError> {
        operations::relu(self, tape)
    }

    fn relu6<T: Tape<f32, Cpu>>(&self, tape: &mut T) -> Result<Self, OpError> {
        operations::relu6(self, tape)
    }

    fn global_avg_pool<T: Tape<f32, Cpu>>(&self, tape: &mut T) -> Result<Self, OpError> {
        operations::global_avg_pool(self, tape)
    }

    fn linear<T: Tape<f32, Cpu>>(
        &self,
        weight: &Tensor4<Cpu>,
        bias: Option<&Tensor4<Cpu>>,
        tape: &mut T,
    ) -> Result<Self, OpError> {
        operations::linear(self, weight, bias, tape)
    }

    fn sum<T: Tape<f32, Cpu>>(terms: &[&Self], tape: &mut T) -> Result<Self, OpError> {
        operations::sum(terms, tape)
    }

    fn concat<T: Tape<f32, Cpu>>(parts: &[&Self], tape: &mut T) -> Result<Self, OpError> {
        operations::concat(parts, tape)
    }
}
