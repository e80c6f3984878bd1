//! Sums and concatenations.

use crate::{
    OpError,
    cuda::{
        activation::CudaActivation,
        args::{ConcatArgs, MAX_TERMS, Part, Rectifier, Source, SumArgs},
        memory::Buffer,
    },
    shape::{Dims, check_parts, check_terms, elements},
    tape::Recorder,
};
use cudarc::driver::DriverError;
use dfdx::tensor::Cuda;
use std::sync::Arc;

/// As [`crate::reference::sum`].
pub fn sum(terms: &[&CudaActivation], tape: &mut dyn Recorder<Cuda>) -> Result<CudaActivation, OpError> {
    let op = "sum";
    let dims = check_terms(terms.iter().map(|term| term.dims()))?;
    let (like, size) = (terms[0], elements(dims));
    let out = like.buffer(op, dims)?;
    let so_far = Source::plain(out.address());
    let mut sources: Vec<Source> = terms.iter().map(|term| term.source(Rectifier::None)).collect();
    // Where there are more terms than one launch takes, the next begins with the sum so far.
    while !sources.is_empty() {
        let count = sources.len().min(MAX_TERMS);
        let mut args = SumArgs { out: out.address(), size: size as i32, channels: dims.3 as i32, ..SumArgs::default() };
        args.count = count as i32;
        args.terms[..count].copy_from_slice(&sources[..count]);
        like.runtime().launch_over("sum_forward", size, args).map_err(OpError::device(op))?;
        sources.drain(..count);
        if !sources.is_empty() {
            sources.insert(0, so_far);
        }
    }
    let y = like.computed(dims, out, None);
    let terms: Vec<CudaActivation> = terms.iter().map(|term| (*term).clone()).collect();
    y.record(tape, move |dy, _| {
        terms.iter().try_for_each(|term| term.accumulate_shared(&dy))?;
        Ok(())
    });
    Ok(y)
}

/// As [`crate::reference::concat`].
pub fn concat(parts: &[&CudaActivation], tape: &mut dyn Recorder<Cuda>) -> Result<CudaActivation, OpError> {
    let op = "concat";
    let dims = check_parts(parts.iter().map(|part| part.dims()))?;
    let out = parts[0].buffer(op, dims)?;
    let parts: Vec<CudaActivation> = parts.iter().map(|part| (*part).clone()).collect();
    let y = parts[0].computed(dims, out.clone(), None);
    for mut args in launches(&parts, dims) {
        args.y = out.address();
        launch("concat_forward", &y, args).map_err(OpError::device(op))?;
    }
    y.record(tape, move |dy, _| {
        for (args, parts) in launches(&parts, dims).into_iter().zip(parts.chunks(MAX_TERMS)) {
            backward(parts, &dy, args)?;
        }
        Ok(())
    });
    Ok(y)
}

/// The arguments of the launches that together cover all parts of a whole of these dimensions.
fn launches(parts: &[CudaActivation], dims: Dims) -> Vec<ConcatArgs> {
    let mut first = 0;
    let mut launches = Vec::new();
    for parts in parts.chunks(MAX_TERMS) {
        let mut args = ConcatArgs {
            first,
            count: parts.len() as i32,
            pixels: (elements(dims) / dims.3) as i32,
            channels: dims.3 as i32,
            ..ConcatArgs::default()
        };
        for (slot, part) in args.parts.iter_mut().zip(parts) {
            let channels = part.dims().3 as i32;
            *slot = Part { x: part.source(Rectifier::None), first, channels, ..Part::default() };
            first += channels;
        }
        args.width = first - args.first;
        launches.push(args);
    }
    launches
}

fn launch(kernel: &'static str, like: &CudaActivation, args: ConcatArgs) -> Result<(), DriverError> {
    like.runtime().launch_over(kernel, args.pixels as usize * args.width as usize, args)
}

/// Computes the gradient of each part in its own buffer, because an activation may occur twice, and adds it to that
/// part.
fn backward(parts: &[CudaActivation], dy: &Buffer, mut args: ConcatArgs) -> Result<(), DriverError> {
    args.dy = dy.address();
    let mut gradients = Vec::new();
    for (slot, part) in args.parts.iter_mut().zip(parts).filter(|(_, part)| part.requires_grad()) {
        let gradient = Arc::new(Buffer::new(part.runtime(), elements(part.dims()))?);
        slot.dx = gradient.address();
        gradients.push((part, gradient));
    }
    parts.first().map_or(Ok(()), |like| launch("concat_backward", like, args))?;
    gradients.iter().try_for_each(|(part, gradient)| part.accumulate_shared(gradient))
}
