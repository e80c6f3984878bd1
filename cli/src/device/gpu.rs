//! Opening a GPU. cudarc panics if there is no driver or no GPU of a number, so both are checked before it is asked.

use crate::exit::UsageError;
use anyhow::{Context, Result, anyhow};
use cudarc::driver::result;
use dfdx::tensor::{Cuda, OnesTensor};
use dfdx::tensor_ops::TryAdd;
use nas_ops::OpError;

/// Opens the GPU with this number and runs an operation on it. Sets the precision of this process: TF32 if `tf32` is
/// true, otherwise single precision.
///
/// # Errors
/// There is no driver, no GPU of this number, a driver that is older than the kernels, too little free memory, or no
/// TF32.
pub fn open(ordinal: usize, tf32: bool) -> Result<Cuda> {
    let name = format!("cuda:{ordinal}");
    let count = result::init().and_then(|()| result::device::get_count()).map_err(|error| {
        anyhow!("cannot use --device {name}: the NVIDIA driver reports {error:?}: install the driver of the GPU, or use --device cpu")
    })?;
    if usize::try_from(count).is_ok_and(|count| ordinal >= count) {
        let found = match count {
            0 => "this machine has no GPU: use --device cpu".into(),
            1 => "this machine has one GPU: use --device cuda:0".into(),
            _ => format!("this machine has {count} GPUs: use one of --device cuda:0 to cuda:{}", count - 1),
        };
        return Err(UsageError(format!("there is no device {name}: {found}")).into());
    }
    // The second argument seeds dfdx's random numbers, which this program does not use.
    let device = Cuda::try_build(ordinal, 0).map_err(failed).with_context(|| format!("cannot use --device {name}"))?;
    // A kernel is loaded at its first launch. Without this launch, an unsuitable driver would be reported after the
    // data has been read.
    let sum = device.try_ones::<()>().and_then(|one| one.try_add(1.0_f32)).map_err(failed);
    sum.with_context(|| format!("cannot use --device {name}"))?;
    nas_ops::set_tf32(&device, tf32).map_err(|error| match error {
        OpError::Unsupported { .. } => UsageError(format!("{error}: use another GPU, or leave --tf32 out")).into(),
        other => failed(format_args!("{other}")).context(format!("cannot use --device {name}")),
    })?;
    Ok(device)
}

/// An error of the device, with its remedy if there is one.
fn failed(error: impl std::fmt::Debug) -> anyhow::Error {
    let text = format!("{error:?}");
    let remedy = if super::memory::is_exhausted(&text) {
        "it has no free memory: end other programs that use it"
    } else if text.contains("UNSUPPORTED_PTX_VERSION") {
        "its driver is older than the CUDA toolkit that built this program: install a newer driver, or build with an \
         older toolkit"
    } else if text.contains("NO_BINARY_FOR_GPU") || text.contains("INVALID_PTX") {
        "this program was built for another kind of GPU: build it on this machine"
    } else {
        return anyhow!("the GPU failed: {text}");
    };
    anyhow!("{remedy} ({text})")
}
