//! Stochastic gradient descent on many parameters with one launch.

use super::{
    args::{MAX_PARAMS, Param, SgdArgs},
    memory::{Buffer, address},
    runtime::Runtime,
};
use crate::{OpError, SgdParam, SgdSpec, Tensor4, sgd::check_pairs, shape::elements, tape::Recorder};
use cudarc::driver::DriverError;
use dfdx::{
    shapes::HasShape,
    tensor::{Cuda, NoneTape, ZerosTensor},
};

/// Blocks of each parameter.
const BLOCKS: usize = 8;
/// `SGD_THREADS` of the kernels.
const THREADS: u32 = 256;

/// As [`crate::reference::sgd`].
pub fn sgd(params: &mut [SgdParam<'_, Cuda>], spec: SgdSpec) -> Result<f64, OpError> {
    params.iter().try_for_each(SgdParam::check)?;
    let Some(first) = params.first() else { return Ok(0.0) };
    let runtime = Runtime::of(first.weight.device())?;
    // The contiguous tensors must live until the kernels are launched.
    let inputs = params.iter().map(Inputs::of).collect::<Result<Vec<_>, _>>()?;
    let entries = inputs.iter().map(Inputs::param).collect::<Result<Vec<_>, _>>()?;
    let norm = squares(runtime, &entries).map_err(OpError::device("update"))?.iter().sum::<f64>().sqrt();
    if !norm.is_finite() {
        return Ok(norm);
    }
    let mut entries = entries;
    for ((param, inputs), entry) in params.iter_mut().zip(inputs.iter()).zip(&mut entries) {
        let update = zeros_like(param.weight)?;
        let velocity = inputs.velocity.clone().map_or_else(|| zeros_like(param.weight), Ok)?;
        (entry.new_velocity, entry.update) = (address("update", &velocity)?, address("update", &update)?);
        (param.velocity, *param.update) = (Some(velocity), Some(update));
    }
    for entries in entries.chunks(MAX_PARAMS) {
        let args = SgdArgs {
            clipping: spec.clipping(norm),
            decay: spec.weight_decay as f32,
            momentum: spec.momentum as f32,
            lr: spec.lr as f32,
            nesterov: spec.nesterov.into(),
            ..args(entries, 0)
        };
        launch(runtime, "sgd_step", entries.len(), args).map_err(OpError::device("update"))?;
    }
    Ok(norm)
}

/// As [`crate::reference::add_to`], in the memory of each `x` unless another tensor shares it.
pub fn add_to(pairs: &mut [(&mut Tensor4<Cuda>, &Tensor4<Cuda>)]) -> Result<(), OpError> {
    check_pairs(pairs)?;
    for (x, y) in pairs {
        **x = contiguous(x)?;
        x.try_axpy(1.0, &contiguous(y)?, 1.0).map_err(OpError::device("update"))?;
    }
    Ok(())
}

/// The tensors that a step reads, in row-major order.
struct Inputs {
    weight: Tensor4<Cuda>,
    gradient: Tensor4<Cuda>,
    velocity: Option<Tensor4<Cuda>>,
}

impl Inputs {
    fn of(param: &SgdParam<'_, Cuda>) -> Result<Self, OpError> {
        let velocity = param.velocity.as_ref().map(contiguous).transpose()?;
        Ok(Self { weight: contiguous(param.weight)?, gradient: contiguous(param.gradient)?, velocity })
    }

    fn param(&self) -> Result<Param, OpError> {
        let op = "update";
        Ok(Param {
            weight: address(op, &self.weight)?,
            gradient: address(op, &self.gradient)?,
            velocity: self.velocity.as_ref().map_or(Ok(0), |velocity| address(op, velocity))?,
            size: elements(*self.weight.shape()) as i32,
            ..Param::default()
        })
    }
}

/// The sum of squares of each tensor. Waits for the GPU.
pub fn sums_of_squares(tensors: &[&Tensor4<Cuda>]) -> Result<Vec<f64>, OpError> {
    let Some(first) = tensors.first() else { return Ok(Vec::new()) };
    let runtime = Runtime::of(first.device())?;
    let tensors = tensors.iter().map(|x| contiguous(x)).collect::<Result<Vec<_>, _>>()?;
    let entry = |x: &Tensor4<Cuda>| {
        let size = elements(*x.shape()) as i32;
        Ok(Param { gradient: address("update", x)?, size, ..Param::default() })
    };
    let entries = tensors.iter().map(entry).collect::<Result<Vec<_>, OpError>>()?;
    squares(runtime, &entries).map_err(OpError::device("update"))
}

/// The sum of squares of each gradient. Waits for the GPU.
fn squares(runtime: &'static Runtime, entries: &[Param]) -> Result<Vec<f64>, DriverError> {
    let partial = Buffer::of_doubles(runtime, BLOCKS * entries.len())?;
    for (i, chunk) in entries.chunks(MAX_PARAMS).enumerate() {
        let at = partial.address() + (i * MAX_PARAMS * BLOCKS * size_of::<f64>()) as u64;
        launch(runtime, "sgd_squares", chunk.len(), args(chunk, at))?;
    }
    Ok(partial.doubles_to_host()?.chunks_exact(BLOCKS).map(|parts| parts.iter().sum()).collect())
}

fn args(entries: &[Param], partial: u64) -> SgdArgs {
    let mut params = [Param::default(); MAX_PARAMS];
    params[..entries.len()].copy_from_slice(entries);
    SgdArgs { params, partial, clipping: 0.0, decay: 0.0, momentum: 0.0, lr: 0.0, nesterov: 0 }
}

fn launch(runtime: &Runtime, kernel: &'static str, params: usize, args: SgdArgs) -> Result<(), DriverError> {
    runtime.launch(kernel, (BLOCKS as u32, params as u32, 1), (THREADS, 1), args)
}

fn contiguous(x: &Tensor4<Cuda>) -> Result<Tensor4<Cuda>, OpError> {
    NoneTape.contiguous("update", x)
}

fn zeros_like(x: &Tensor4<Cuda>) -> Result<Tensor4<Cuda>, OpError> {
    x.device().try_zeros_like(x.shape()).map_err(OpError::device("update"))
}
