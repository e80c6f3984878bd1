//! Cross-entropy.

use crate::{
    Matrix, OpError, Tensor4,
    cuda::{
        args::CrossEntropyArgs,
        memory::{Buffer, address},
        runtime::Runtime,
    },
    shape::check_targets,
    tape::Recorder,
};
use cudarc::driver::DevicePtr;
use dfdx::{
    shapes::HasShape,
    tensor::{Cuda, Tensor, ZerosTensor},
    tensor_ops::ReshapeTo,
};

/// Threads of the forward kernel; `ROWS_AT_ONCE` there.
const ROWS_AT_ONCE: u32 = 128;

/// As [`crate::reference::cross_entropy`]. The forward pass computes the gradient as well.
pub fn cross_entropy(
    scores: &Tensor4<Cuda>,
    targets: &Matrix<Cuda>,
    tape: &mut dyn Recorder<Cuda>,
) -> Result<Tensor<(), f32, Cuda>, OpError> {
    let op = "cross_entropy";
    let (n, classes) = check_targets(*scores.shape(), *targets.shape())?;
    let runtime = Runtime::of(scores.device())?;
    let scores = tape.contiguous(op, scores)?;
    let targets = targets.clone().try_contiguous().map_err(OpError::device(op))?;
    let loss: Tensor<(), f32, Cuda> = scores.device().try_zeros().map_err(OpError::device(op))?;
    let gradient = tape.is_recording().then(|| Buffer::new(runtime, n * classes));
    let gradient = gradient.transpose().map_err(OpError::device(op))?;
    let args = CrossEntropyArgs {
        scores: address(op, &scores)?,
        targets: address(op, &targets)?,
        loss: address(op, &loss)?,
        gradient: gradient.as_ref().map_or(0, Buffer::address),
        n: n as i32,
        classes: classes as i32,
        ..CrossEntropyArgs::default()
    };
    runtime.launch("cross_entropy_forward", (1, 1, 1), (ROWS_AT_ONCE, 1), args).map_err(OpError::device(op))?;
    if let Some(gradient) = gradient {
        let output = loss.ghost();
        tape.record(Box::new(move |grads| {
            let d_loss = *grads.get_or_alloc_mut(&output)?.device_ptr();
            let d_scores = *grads.get_or_alloc_mut(&scores)?.device_ptr();
            let args = CrossEntropyArgs { d_loss, d_scores, gradient: gradient.address(), ..args };
            runtime.launch_over("cross_entropy_backward", n * classes, args)?;
            Ok(())
        }));
    }
    Ok(loss)
}
