//! Kernels for a GPU: CUDA C++ in `kernels/`, compiled by NVRTC once per process for the GPU at hand, on dfdx's stream.
//!
//! Activations never become tensors between two operations. A batch normalisation is applied by the kernels that read
//! it. No kernel uses floating-point atomics, and the order of every sum depends on the shapes alone: runs on one GPU
//! have equal bits.

mod activation;
mod args;
mod gram;
mod memory;
mod operations;
mod reduction;
mod runtime;
mod sgd;
mod upload;

pub use activation::CudaActivation;

use crate::{
    Activation, Backend, ConvSpec, InputPatches, Matrix, Moments, NormArgs, OpError, PoolSpec, SgdParam, SgdSpec,
    Tensor4, UnitSpec, Upload, shape::Dims,
};
use args::Rectifier;
use dfdx::tensor::{Cuda, Tape, Tensor};

/// Makes convolutions and linear layers multiply in TF32 (10 instead of 23 mantissa bits) on tensor cores, or in single
/// precision, which is the default. Holds for all operations of this process that start later. Depthwise convolutions
/// do not use tensor cores and stay in single precision.
///
/// # Errors
/// A GPU of a compute capability below 8.0, or one that cannot run the kernels.
pub fn set_tf32(device: &Cuda, on: bool) -> Result<(), OpError> {
    runtime::Runtime::of(device)?.set_tf32(on)
}

impl Backend for Cuda {
    type Activation = CudaActivation;

    fn upload(&self, values: Vec<f32>, dims: Dims) -> Result<Upload<Cuda>, OpError> {
        upload::upload(self, &values, dims)
    }

    fn sgd(params: &mut [SgdParam<'_, Cuda>], spec: SgdSpec) -> Result<f64, OpError> {
        sgd::sgd(params, spec)
    }

    fn add_to(pairs: &mut [(&mut Tensor4<Cuda>, &Tensor4<Cuda>)]) -> Result<(), OpError> {
        sgd::add_to(pairs)
    }

    fn cross_entropy<T: Tape<f32, Cuda>>(
        scores: &Tensor4<Cuda>,
        targets: &Matrix<Cuda>,
        tape: &mut T,
    ) -> Result<Tensor<(), f32, Cuda>, OpError> {
        operations::cross_entropy(scores, targets, tape)
    }

    fn all_to_host(tensors: &[&Tensor4<Cuda>]) -> Result<Vec<Vec<f32>>, OpError> {
        memory::all_to_host(tensors)
    }

    fn gram_matrices(inputs: &[InputPatches<'_, Cuda>]) -> Result<Option<Vec<Vec<f64>>>, OpError> {
        gram::gram_matrices(inputs).map(Some)
    }

    fn sums_of_squares(tensors: &[&Tensor4<Cuda>]) -> Result<Vec<f64>, OpError> {
        sgd::sums_of_squares(tensors)
    }
}

impl Activation<Cuda> for CudaActivation {
    const ACCUMULATES_GRADIENTS: bool = true;

    fn from_tensor<T: Tape<f32, Cuda>>(x: &Tensor4<Cuda>, tape: &mut T) -> Result<Self, OpError> {
        CudaActivation::from_tensor(x, tape)
    }

    fn constant(x: &Tensor4<Cuda>) -> Result<Self, OpError> {
        CudaActivation::constant(x)
    }

    fn to_tensor<T: Tape<f32, Cuda>>(&self, tape: &mut T) -> Result<Tensor4<Cuda>, OpError> {
        CudaActivation::to_tensor(self, tape)
    }

    fn first_images(&self, images: usize) -> Result<Tensor4<Cuda>, OpError> {
        CudaActivation::first_images(self, images)
    }

    fn dims(&self) -> (usize, usize, usize, usize) {
        CudaActivation::dims(self)
    }

    fn conv2d<T: Tape<f32, Cuda>>(
        &self,
        weight: &Tensor4<Cuda>,
        spec: ConvSpec,
        tape: &mut T,
    ) -> Result<Self, OpError> {
        operations::conv2d(self, weight, UnitSpec { relu: false, conv: spec }, tape)
    }

    fn relu_conv2d<T: Tape<f32, Cuda>>(
        &self,
        weight: &Tensor4<Cuda>,
        spec: ConvSpec,
        tape: &mut T,
    ) -> Result<Self, OpError> {
        operations::conv2d(self, weight, UnitSpec { relu: true, conv: spec }, tape)
    }

    fn pool2d<T: Tape<f32, Cuda>>(&self, spec: PoolSpec, tape: &mut T) -> Result<Self, OpError> {
        operations::pool2d(self, spec, tape)
    }

    fn scale_images<T: Tape<f32, Cuda>>(&self, factors: &[f32], tape: &mut T) -> Result<Self, OpError> {
        operations::scale_images(self, factors, tape)
    }

    fn odd_pixels<T: Tape<f32, Cuda>>(&self, tape: &mut T) -> Result<Self, OpError> {
        operations::odd_pixels(self, tape)
    }

    fn batch_norm<T: Tape<f32, Cuda>>(
        &self,
        norm: NormArgs<'_, Cuda>,
        tape: &mut T,
    ) -> Result<(Self, Option<Moments<Cuda>>), OpError> {
        operations::batch_norm(self, norm, tape)
    }

    fn unit<T: Tape<f32, Cuda>>(
        &self,
        weight: &Tensor4<Cuda>,
        spec: UnitSpec,
        norm: NormArgs<'_, Cuda>,
        tape: &mut T,
    ) -> Result<(Self, Option<Moments<Cuda>>), OpError> {
        operations::unit(self, weight, spec, norm, tape)
    }

    fn relu<T: Tape<f32, Cuda>>(&self, tape: &mut T) -> Result<Self, OpError> {
        operations::rectify(self, Rectifier::Relu, tape)
    }

    fn relu6<T: Tape<f32, Cuda>>(&self, tape: &mut T) -> Result<Self, OpError> {
        operations::rectify(self, Rectifier::Relu6, tape)
    }

    fn global_avg_pool<T: Tape<f32, Cuda>>(&self, tape: &mut T) -> Result<Self, OpError> {
        operations::global_avg_pool(self, tape)
    }

    fn linear<T: Tape<f32, Cuda>>(
        &self,
        weight: &Tensor4<Cuda>,
        bias: Option<&Tensor4<Cuda>>,
        tape: &mut T,
    ) -> Result<Self, OpError> {
        operations::linear(self, weight, bias, tape)
    }

    fn sum<T: Tape<f32, Cuda>>(terms: &[&Self], tape: &mut T) -> Result<Self, OpError> {
        operations::sum(terms, tape)
    }

    fn concat<T: Tape<f32, Cuda>>(parts: &[&Self], tape: &mut T) -> Result<Self, OpError> {
        operations::concat(parts, tape)
    }
}
