//! Direct implementations for the CPU, on images one at a time, without a matrix of patches.
//!
//! Work is split into groups of [`GROUP`] images, whatever the number of threads. Sums over a batch are added within
//! each group first and then from group to group in order, so that the bits of a result depend on neither the number
//! of threads nor on which of them was faster.

mod buffer;
mod combine;
mod conv;
mod correlation;
mod dense;
mod depthwise;
mod frame;
mod linear;
mod mean;
mod norm;
mod packed;
mod patches;
mod pool;
mod relu;
mod simd;
mod unit;

use crate::{Backend, ConvSpec, Moments, NormArgs, OpError, PoolSpec, Tensor4, UnitSpec, reference::taped};
use dfdx::{
    tensor::{Cpu, Tape},
    tensor_ops::ReshapeTo,
};

/// Images that are worked on and summed over together.
const GROUP: usize = 8;

impl Backend for Cpu {
    fn conv2d<T: Tape<f32, Self>>(
        x: &Tensor4<Self>,
        weight: &Tensor4<Self>,
        spec: ConvSpec,
        tape: &mut T,
    ) -> Result<Tensor4<Self>, OpError> {
        conv::conv2d(x, weight, spec, tape)
    }

    fn pool2d<T: Tape<f32, Self>>(x: &Tensor4<Self>, spec: PoolSpec, tape: &mut T) -> Result<Tensor4<Self>, OpError> {
        pool::pool2d(x, spec, tape)
    }

    fn batch_norm<T: Tape<f32, Self>>(
        x: &Tensor4<Self>,
        norm: NormArgs<'_, Self>,
        tape: &mut T,
    ) -> Result<(Tensor4<Self>, Moments<Self>), OpError> {
        norm::batch_norm(x, norm, tape)
    }

    fn unit<T: Tape<f32, Self>>(
        x: &Tensor4<Self>,
        weight: &Tensor4<Self>,
        spec: UnitSpec,
        norm: NormArgs<'_, Self>,
        tape: &mut T,
    ) -> Result<(Tensor4<Self>, Moments<Self>), OpError> {
        unit::unit(x, weight, spec, norm, tape)
    }

    fn relu<T: Tape<f32, Self>>(x: &Tensor4<Self>, tape: &mut T) -> Result<Tensor4<Self>, OpError> {
        relu::relu(x, tape)
    }

    fn sum<T: Tape<f32, Self>>(terms: &[&Tensor4<Self>], tape: &mut T) -> Result<Tensor4<Self>, OpError> {
        combine::sum(terms, tape)
    }

    fn concat<T: Tape<f32, Self>>(parts: &[&Tensor4<Self>], tape: &mut T) -> Result<Tensor4<Self>, OpError> {
        combine::concat(parts, tape)
    }

    fn global_avg_pool<T: Tape<f32, Self>>(x: &Tensor4<Self>, tape: &mut T) -> Result<Tensor4<Self>, OpError> {
        mean::global_avg_pool(x, tape)
    }

    fn linear<T: Tape<f32, Self>>(
        x: &Tensor4<Self>,
        weight: &Tensor4<Self>,
        bias: Option<&Tensor4<Self>>,
        tape: &mut T,
    ) -> Result<Tensor4<Self>, OpError> {
        linear::linear(x, weight, bias, tape)
    }

    fn patches(x: &Tensor4<Self>, spec: ConvSpec) -> Result<Tensor4<Self>, OpError> {
        patches::patches(x, spec)
    }
}

/// The tensor itself, or a copy in row-major order if it is permuted or broadcast.
fn contiguous<T: Tape<f32, Cpu>>(op: &'static str, x: &Tensor4<Cpu>, tape: &mut T) -> Result<Tensor4<Cpu>, OpError> {
    taped(op, x, tape, |x| x.try_contiguous())
}
