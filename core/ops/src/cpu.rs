//! Direct implementations for the CPU, on images one at a time, without a matrix of patches.
//!
//! Work is split into groups of [`GROUP`] images, whatever the number of threads. Sums over a batch are added within
//! each group first and then from group to group in order, so that the bits of a result depend on neither the number
//! of threads nor on which of them was faster.

mod buffer;
mod combine;
mod conv;
mod correlation;
mod covariance;
mod dense;
mod depthwise;
mod expansion;
mod frame;
mod image;
mod linear;
mod mean;
mod norm;
mod packed;
mod pool;
mod relu;
mod sgd;
mod simd;
mod store;
mod unit;
mod winograd;

use crate::{
    Activation, Backend, ConvSpec, Moments, NormArgs, OpError, PoolSpec, SgdParam, SgdSpec, Tensor4, UnitSpec,
    reference::taped,
};
use dfdx::{
    tensor::{Cpu, Tape},
    tensor_ops::ReshapeTo,
};

pub use image::Image;

/// Images that are worked on and summed over together.
const GROUP: usize = 8;

impl Backend for Cpu {
    type Activation = Image;

    fn sgd(params: &mut [SgdParam<'_, Cpu>], spec: SgdSpec) -> Result<f64, OpError> {
        sgd::sgd(params, spec)
    }

    fn add_to(pairs: &mut [(&mut Tensor4<Cpu>, &Tensor4<Cpu>)]) -> Result<(), OpError> {
        sgd::add_to(pairs)
    }
}

impl Activation<Cpu> for Image {
    const GATHERS: bool = true;

    fn enter<T: Tape<f32, Cpu>>(x: &Tensor4<Cpu>, tape: &mut T) -> Result<Self, OpError> {
        Image::enter(x, tape)
    }

    fn constant(x: &Tensor4<Cpu>) -> Result<Self, OpError> {
        Image::constant(x)
    }

    fn leave<T: Tape<f32, Cpu>>(&self, tape: &mut T) -> Result<Tensor4<Cpu>, OpError> {
        Image::leave(self, tape)
    }

    fn first(&self, images: usize) -> Result<Tensor4<Cpu>, OpError> {
        Image::first(self, images)
    }

    fn dims(&self) -> (usize, usize, usize, usize) {
        self.dims
    }

    fn conv2d<T: Tape<f32, Cpu>>(&self, weight: &Tensor4<Cpu>, spec: ConvSpec, tape: &mut T) -> Result<Self, OpError> {
        conv::conv2d(self, weight, spec, tape)
    }

    fn pool2d<T: Tape<f32, Cpu>>(&self, spec: PoolSpec, tape: &mut T) -> Result<Self, OpError> {
        pool::pool2d(self, spec, tape)
    }

    fn batch_norm<T: Tape<f32, Cpu>>(
        &self,
        norm: NormArgs<'_, Cpu>,
        tape: &mut T,
    ) -> Result<(Self, Moments<Cpu>), OpError> {
        norm::batch_norm(self, norm, tape)
    }

    fn unit<T: Tape<f32, Cpu>>(
        &self,
        weight: &Tensor4<Cpu>,
        spec: UnitSpec,
        norm: NormArgs<'_, Cpu>,
        tape: &mut T,
    ) -> Result<(Self, Moments<Cpu>), OpError> {
        unit::unit(self, weight, spec, norm, tape)
    }

    fn relu<T: Tape<f32, Cpu>>(&self, tape: &mut T) -> Result<Self, OpError> {
        relu::relu(self, tape)
    }

    fn global_avg_pool<T: Tape<f32, Cpu>>(&self, tape: &mut T) -> Result<Self, OpError> {
        mean::global_avg_pool(self, tape)
    }

    fn linear<T: Tape<f32, Cpu>>(
        &self,
        weight: &Tensor4<Cpu>,
        bias: Option<&Tensor4<Cpu>>,
        tape: &mut T,
    ) -> Result<Self, OpError> {
        linear::linear(self, weight, bias, tape)
    }

    fn sum<T: Tape<f32, Cpu>>(terms: &[&Self], tape: &mut T) -> Result<Self, OpError> {
        combine::sum(terms, tape)
    }

    fn concat<T: Tape<f32, Cpu>>(parts: &[&Self], tape: &mut T) -> Result<Self, OpError> {
        combine::concat(parts, tape)
    }
}

/// The tensor itself, or a copy in row-major order if it is permuted or broadcast.
fn contiguous<T: Tape<f32, Cpu>>(op: &'static str, x: &Tensor4<Cpu>, tape: &mut T) -> Result<Tensor4<Cpu>, OpError> {
    taped(op, x, tape, |x| x.try_contiguous())
}
